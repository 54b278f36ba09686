//! Archives as nobody should send them: broken, lying, too much.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    UnpackError,
    caps::{CAPS, Caps},
    unpack,
    unpack::{own_name, unpack_within},
};

#[test]
fn r3_only_names_that_a_recording_has_are_kept() {
    for evil in [
        "../manifest.json",
        "/etc/passwd",
        "logs/../../x.out",
        "logs/a/b.out",
        "logs/x.exe",
        "logs/.out",
        "summary.md",
        "logs/a\0.out",
        "MANIFEST.JSON",
    ] {
        assert_eq!(own_name(evil), None, "{evil}");
    }
    assert_eq!(own_name("logs/client-a.err.idx"), Some("logs/client-a.err.idx".into()));
}

#[test]
fn r1_what_is_no_archive_is_a_typed_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for content in [&b""[..], b"not zstd at all", &zstd::encode_all(&b"not tar"[..], 1).expect("in memory")] {
        let path = folder.path().join("x.tar.zst");
        std::fs::write(&path, content).expect("it can be written");
        let error = unpack(&path).expect_err("it is no archive");
        assert!(error.to_string().contains("x.tar.zst"), "{error}");
    }
}

fn packed(build: impl FnOnce(&mut tar::Builder<zstd::Encoder<'_, File>>)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.tar.zst");
    let file = File::create(&path).expect("it can be written");
    let mut archive = tar::Builder::new(zstd::Encoder::new(file, 19).expect("in memory"));
    build(&mut archive);
    archive.into_inner().and_then(zstd::Encoder::finish).expect("it can be finished");
    (folder, path)
}

fn entry(kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o600);
    header
}

/// Adds an entry whose header promises `size` bytes and which holds `content`.
fn add(archive: &mut tar::Builder<zstd::Encoder<'_, File>>, kind: tar::EntryType, name: &str, size: u64, content: impl Read) {
    let mut header = entry(kind, size);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    archive.get_mut().write_all(header.as_bytes()).expect("it can be written");
    let written = io::copy(&mut content.take(size), archive.get_mut()).expect("it can be written");
    let padding = (512 - written % 512) % 512;
    archive.get_mut().write_all(&vec![0; padding as usize]).expect("it can be written");
}

fn too_much(path: &Path, caps: &Caps) -> String {
    match unpack_within(path, caps).expect_err("it is too much") {
        UnpackError::TooMuch { what, .. } => what,
        other => panic!("{other}"),
    }
}

const REGULAR: tar::EntryType = tar::EntryType::Regular;

#[test]
fn r2_a_bomb_is_refused_by_what_comes_out_of_it() {
    let (_folder, path) = packed(|archive| add(archive, REGULAR, "ballast", 300 << 20, io::repeat(0)));
    assert_eq!(too_much(&path, &CAPS), "it unpacks to more than 20000 times its size");
    let caps = Caps { passed: 10 << 20, ..CAPS };
    assert_eq!(too_much(&path, &caps), "it unpacks to more than 10 MiB");
}

#[test]
fn r2_extension_headers_are_never_read_into_memory() {
    for kind in [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
        let (_folder, path) = packed(|archive| {
            add(archive, kind, "././@LongLink", 40 << 20, io::repeat(b'x'));
            add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]);
        });
        let before = peak_memory();
        let unpacked = unpack(&path).expect("what is of no use is skipped");
        assert!(unpacked.dir().join("manifest.json").is_file());
        assert!(peak_memory() - before < 30 << 20, "{kind:?} went to memory");
    }
}

/// The most memory this process ever held, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn r2_lying_sizes_crowds_and_large_documents_are_refused_by_their_headers() {
    let (_folder, path) = packed(|archive| add(archive, REGULAR, "logs/a.out", 1 << 40, &b"tiny"[..]));
    assert_eq!(too_much(&path, &CAPS), "its logs/a.out is larger than 12 GiB");
    let (_folder, path) = packed(|archive| {
        (0..3).for_each(|n| add(archive, REGULAR, &format!("logs/{n}.out"), 1000, io::repeat(b'x')));
    });
    assert_eq!(too_much(&path, &Caps { kept: 2999, ..CAPS }), "its logs are larger than 2999 bytes");
    let (_folder, path) = packed(|archive| add(archive, REGULAR, "manifest.json", (16 << 20) + 1, io::repeat(b' ')));
    assert_eq!(too_much(&path, &CAPS), "its manifest.json is larger than 16 MiB");
    let (_folder, path) = packed(|archive| (0..10_001).for_each(|_| add(archive, REGULAR, "x", 0, io::empty())));
    assert_eq!(too_much(&path, &CAPS), "it has more than 10000 entries");
    assert!(too_much(&path, &Caps { packed: 10, ..CAPS }).starts_with("it is larger than 10 bytes"));
}

#[test]
fn r1_a_pipe_is_read_like_a_file() {
    let (folder, path) = packed(|archive| add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]));
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || std::fs::write(fifo, std::fs::read(path).expect("readable")).expect("somebody reads")
    });
    assert!(unpack(&fifo).expect("it is an archive").broken.is_none());
    writer.join().expect("no panic");
}

#[test]
fn r1_what_came_before_a_break_is_there() {
    let (_folder, path) = packed(|archive| {
        add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]);
        add(archive, REGULAR, "logs/a.out", 5, &b"hello"[..]);
        add(archive, REGULAR, "logs/b.out", 100_000, &b"cut"[..]);
    });
    let unpacked = unpack(&path).expect("most of it is good");
    assert!(unpacked.broken.as_deref().is_some_and(|why| why.contains("logs/b.out")), "{:?}", unpacked.broken);
    assert_eq!(std::fs::read_to_string(unpacked.dir().join("logs/a.out")).expect("it is whole"), "hello");
    // The same for a file whose end is missing, and for one with a flipped bit.
    let mut bytes = std::fs::read(&path).expect("readable");
    bytes.truncate(bytes.len() - 3);
    std::fs::write(&path, &bytes).expect("a disk");
    assert!(unpack(&path).map_or(true, |unpacked| unpacked.broken.is_some()));
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&path, &flipped).expect("a disk");
        // Whatever comes of it, it is an answer.
        let _ = unpack(&path);
    }
}

#[test]
fn r3_links_and_second_entries_of_a_name_write_nothing() {
    let (folder, path) = packed(|archive| {
        let mut link = entry(tar::EntryType::Symlink, 0);
        archive.append_link(&mut link, "logs/a.out", "/etc/passwd").expect("it can be written");
        let mut hard = entry(tar::EntryType::Link, 0);
        archive.append_link(&mut hard, "events.jsonl", "/etc/passwd").expect("it can be written");
        add(archive, REGULAR, "../escaped", 1, &b"x"[..]);
        add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]);
        add(archive, REGULAR, "manifest.json", 2, &b"[]"[..]);
    });
    let unpacked = unpack(&path).expect("there is a manifest");
    assert!(unpacked.broken.is_some(), "a second manifest ends it");
    assert_eq!(std::fs::read_to_string(unpacked.dir().join("manifest.json")).expect("the first"), "{}");
    assert!(!unpacked.dir().join("logs/a.out").exists() && !unpacked.dir().join("events.jsonl").exists());
    assert!(!folder.path().join("escaped").exists() && !unpacked.dir().join("../escaped").exists());
}

#[test]
fn r2_a_crowd_of_tiny_events_is_refused() {
    let events = b"{}\n".repeat(1001);
    let build = |count: u64| {
        let (_folder, path) = packed(|archive| {
            add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]);
            add(archive, REGULAR, "events.jsonl", events.len() as u64, events.as_slice());
        });
        unpack_within(&path, &Caps { count, ..CAPS }).map(drop)
    };
    assert!(build(1001).is_ok());
    let error = build(1000).expect_err("one too many").to_string();
    assert!(error.contains("it holds more than 1000 events"), "{error}");
}

#[test]
fn what_a_killed_replay_left_goes_with_the_next_one() {
    let (_folder, path) = packed(|archive| add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]));
    let living = unpack(&path).expect("it is an archive");
    let own = crate::record::Lease::own();
    let left = |ticks: u64| std::env::temp_dir().join(format!(".e2e-tui-replay.{}-{ticks:x}-1f{ticks:x}.part", own.pid));
    let (dead, alive) = (left(own.start_ticks + 1), left(own.start_ticks));
    for folder in [&dead, &alive] {
        std::fs::create_dir_all(folder.join("logs")).expect("a disk");
        std::fs::write(folder.join("logs/a.out"), "said").expect("a disk");
    }
    let next = unpack(&path).expect("it is an archive");
    assert!(!dead.exists() && alive.exists() && living.dir().exists());
    let dir = next.dir().to_owned();
    drop(next);
    assert!(!dir.exists());
    std::fs::remove_dir_all(&alive).expect("it is there");
}
