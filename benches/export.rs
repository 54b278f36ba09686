//! The export of 1 GB of logs beside `tar --zstd` of the same files: `cargo bench --bench export`. `E2E_BENCH_MB` says how much.
//! Both use one thread and the same level; the files are those in the archive, so `merged.log` is packed by both, and made by
//! one.
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

#[expect(unreachable_pub, reason = "the tests share it")]
mod recordings;

use std::{path::Path, process::Command, time::Duration};

use e2e_tui::record::archive::export;
use nix::sys::resource::{UsageWho, getrusage};
use recordings::{Length, record};

/// The CPU time of this process, or of its children, so far.
fn cpu(who: UsageWho) -> Duration {
    let used = getrusage(who).expect("it is always known");
    let of = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
    of(used.user_time()) + of(used.system_time())
}

fn run(command: &mut Command) {
    assert!(command.status().expect("it is installed").success(), "{command:?}");
}

/// The most memory this process ever held, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
}

fn ours(recording: &Path, archive: &Path) -> Duration {
    let before = cpu(UsageWho::RUSAGE_SELF);
    export(recording, archive, true).expect("it can be packed");
    cpu(UsageWho::RUSAGE_SELF).saturating_sub(before)
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    if Command::new("zstd").arg("--version").output().is_err() {
        println!("skipped: `zstd` is not installed");
        return;
    }
    let megabytes: usize = std::env::var("E2E_BENCH_MB").ok().and_then(|mb| mb.parse().ok()).unwrap_or(1000);
    let dir = tempfile::tempdir_in(".").expect("a folder");
    let (recording, files, archive) = (dir.path().join("recording"), dir.path().join("files"), dir.path().join("x.tar.zst"));
    std::fs::create_dir_all(&recording).expect("a disk");
    std::fs::create_dir_all(&files).expect("a disk");
    record(&recording, Length { events: 20_000, lines: megabytes * 1_000_000 / 97 });
    let small = dir.path().join("small");
    std::fs::create_dir_all(&small).expect("a disk");
    record(&small, Length { events: 20_000, lines: 100_000 });
    ours(&small, &archive);
    let before = peak();
    let exported = ours(&recording, &archive);
    println!("export: CPU {exported:.2?}, memory {} MiB more than that of an archive of 10 MB", peak() - before);
    run(Command::new("tar").arg("--zstd").arg("-xf").arg(&archive).arg("-C").arg(&files));
    let children = cpu(UsageWho::RUSAGE_CHILDREN);
    run(Command::new("tar").args(["-I", "zstd -3 -T1", "-cf"]).arg(dir.path().join("theirs.tar.zst")).arg("-C").arg(&files).arg("."));
    let theirs = cpu(UsageWho::RUSAGE_CHILDREN).saturating_sub(children);
    println!("tar --zstd: CPU {theirs:.2?}");
    println!("export: CPU x{:.2} of `tar --zstd` (at most 1.5)", exported.as_secs_f64() / theirs.as_secs_f64());
}
