//! Which file a program's name means, before anything is forked: as `execvp` finds it, with the child's own PATH.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags},
    unistd::{AccessFlags, faccessat},
};

use super::{SpawnError, error::install_hint};

/// Where programs are looked for when the child has no PATH at all, as the C library does it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Resolves `program` to an absolute path. With a slash it is a path, relative to `cwd`; without one it is looked for in
/// `path_env`, the PATH the child will have. Empty and relative folders in PATH count from `cwd`, as they would in the child.
pub fn lookup(program: &str, path_env: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, SpawnError> {
    check_cwd(cwd)?;
    if program.contains('/') {
        let path = cwd.join(program);
        return match usable(&path) {
            Found::Yes => Ok(path),
            Found::No(why) => Err(not_executable(path, why)),
            Found::Absent => Err(SpawnError::NoSuchFile { hint: near_miss(&path), path }),
        };
    }
    let path_env = path_env.unwrap_or(OsStr::new(DEFAULT_PATH));
    let folders: Vec<PathBuf> = std::env::split_paths(path_env).collect();
    let mut refused = None;
    for folder in &folders {
        let path = cwd.join(folder).join(program);
        match usable(&path) {
            Found::Yes if !program.is_empty() => return Ok(path),
            Found::No(why) if !program.is_empty() => _ = refused.get_or_insert((path, why)),
            _ => {}
        }
    }
    // A folder of that name is no reason to speak of it: only a file was meant.
    if let Some((path, why)) = refused.filter(|(path, _)| path.is_file()) {
        return Err(not_executable(path, why));
    }
    let hint = if !program.is_empty() && cwd.join(program).is_file() {
        Some(format!("there is one in the working directory: write \"./{program}\""))
    } else if program.contains(' ') {
        Some("a command is a list of arguments; a line for a shell goes into `shell`".to_owned())
    } else {
        install_hint(program)
    };
    let searched = if path_env.is_empty() { Vec::new() } else { folders };
    Err(SpawnError::NotFound { program: program.to_owned(), searched, hint })
}

/// Says why `cwd` cannot be a working directory, before the program is blamed for it.
fn check_cwd(cwd: &Path) -> Result<(), SpawnError> {
    let errno = match std::fs::metadata(cwd) {
        Ok(meta) if !meta.is_dir() => Some(Errno::ENOTDIR),
        Ok(_) => faccessat(AT_FDCWD, cwd, AccessFlags::X_OK, AtFlags::AT_EACCESS).err(),
        Err(error) => Some(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
    };
    errno.map_or(Ok(()), |errno| Err(SpawnError::WorkingDirectory { cwd: cwd.to_owned(), errno: errno as i32 }))
}

enum Found {
    Yes,
    No(&'static str),
    Absent,
}

fn usable(path: &Path) -> Found {
    match std::fs::metadata(path) {
        Err(_) => Found::Absent,
        Ok(meta) if meta.is_dir() => Found::No("is a directory"),
        Ok(meta) if !meta.is_file() => Found::No("is not a regular file"),
        Ok(_) => match faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS) {
            Ok(()) => Found::Yes,
            Err(_) => Found::No("is not marked executable, or lies on a file system mounted noexec"),
        },
    }
}

fn not_executable(path: PathBuf, why: &str) -> SpawnError {
    let hint = path.is_file().then(|| match interpreter_for(&path) {
        Some(interpreter) => format!("run `chmod +x` on it, or write [\"{interpreter}\", \"{}\"]", path.display()),
        None => "run `chmod +x` on it".to_owned(),
    });
    SpawnError::NotExecutable { path, why: why.to_owned(), hint }
}

/// The usual interpreter of a script, by its extension.
fn interpreter_for(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "py" => "python3",
        "js" | "mjs" | "cjs" => "node",
        "sh" => "sh",
        "rb" => "ruby",
        "pl" => "perl",
        _ => return None,
    })
}

/// For a path that does not exist: how far it does.
fn near_miss(path: &Path) -> Option<String> {
    if path.to_string_lossy().contains("/target/") {
        return Some("build it first (`cargo build`)".to_owned());
    }
    let deepest = path.ancestors().skip(1).find(|p| p.is_dir())?;
    (Some(deepest) != path.parent()).then(|| format!("of its folders, only {} exists", deepest.display()))
}

/// Turns what `execve` said into an error that tells the real reason: `ENOENT` for a file that exists means its interpreter.
pub(crate) fn explain_exec(path: &Path, errno: i32) -> SpawnError {
    let head = head_of(path);
    let script = head.as_deref().and_then(shebang);
    match (Errno::from_raw(errno), script) {
        (Errno::ENOENT, Some(interpreter)) => SpawnError::NoInterpreter {
            path: path.to_owned(),
            hint: if interpreter.ends_with('\r') {
                Some("the file has Windows line ends: convert it to LF".to_owned())
            } else {
                install_hint(&interpreter)
            },
            interpreter: interpreter.trim_end().to_owned(),
        },
        (Errno::ENOENT, None) if head.as_deref().is_some_and(is_elf) => SpawnError::NoInterpreter {
            path: path.to_owned(),
            interpreter: "(its ELF loader)".to_owned(),
            hint: Some("it was built for another C library or distribution".to_owned()),
        },
        (Errno::ENOENT, None) => SpawnError::NoSuchFile { path: path.to_owned(), hint: None },
        (Errno::ENOEXEC, _) => SpawnError::Exec { path: path.to_owned(), errno, hint: head.as_deref().map(foreign_format) },
        (Errno::EACCES, Some(interpreter)) => SpawnError::Exec {
            path: path.to_owned(),
            errno,
            hint: Some(format!("the file, or its interpreter {interpreter}, may not be run by this user")),
        },
        (Errno::EACCES, None) => SpawnError::Exec {
            path: path.to_owned(),
            errno,
            hint: Some("this user may not run it, or it lies on a file system mounted noexec".to_owned()),
        },
        (Errno::E2BIG, _) => SpawnError::Exec {
            path: path.to_owned(),
            errno,
            hint: Some("arguments and environment together exceed what the system takes; `env_clear = true` helps".to_owned()),
        },
        _ => SpawnError::Exec { path: path.to_owned(), errno, hint: None },
    }
}

/// The first bytes of a file, if it can be read.
fn head_of(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut head = Vec::new();
    std::fs::File::open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The interpreter a script names.
fn shebang(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let word = line.trim_ascii_start().split(|b| *b == b' ' || *b == b'\t').next()?;
    Some(OsStr::from_bytes(word).to_string_lossy().into_owned())
}

fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

/// Whether two ELF programs name the same class, byte order and machine (`elf(5)`).
fn is_for_the_same_machine(a: &[u8], b: &[u8]) -> bool {
    [4..6, 18..20].into_iter().all(|place| a.get(place.clone()).is_some_and(|bytes| b.get(place) == Some(bytes)))
}

/// Why a file with the executable bit is no program here.
fn foreign_format(head: &[u8]) -> String {
    match head {
        [] => "the file is empty".to_owned(),
        _ if is_elf(head) && head_of(Path::new("/proc/self/exe")).is_some_and(|own| is_for_the_same_machine(head, &own)) => {
            "it was built for this machine but is damaged: cut short, or still being written".to_owned()
        }
        _ if is_elf(head) => format!("it was built for another machine; this one is {}", std::env::consts::ARCH),
        [b'M', b'Z', ..] => "it is a Windows program".to_owned(),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "it is a macOS program".to_owned(),
        _ => "it is neither a program nor a script with a `#!` line: add one, or name its interpreter".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn file(dir: &Path, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("has a folder")).expect("create its folder");
        fs::write(&path, content).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        path
    }

    #[test]
    fn a_program_of_another_machine_is_told_from_a_damaged_one() {
        let own = head_of(Path::new("/proc/self/exe")).expect("it is readable");
        assert!(foreign_format(&own[..200]).starts_with("it was built for this machine but is damaged"));
        let mut other = own.clone();
        other[18] ^= 1;
        assert!(foreign_format(&other).starts_with("it was built for another machine"));
    }

    #[test]
    fn the_first_executable_in_the_childs_path_wins() {
        let dir = tempfile::tempdir().expect("a temp dir");
        file(dir.path(), "a/tool", "", 0o644);
        fs::create_dir_all(dir.path().join("b/tool")).expect("a folder of that name");
        let good = file(dir.path(), "c/tool", "", 0o755);
        let path = std::env::join_paths(["a", "b", "c"].map(|d| dir.path().join(d))).expect("a PATH");
        assert_eq!(lookup("tool", Some(&path), dir.path()), Ok(good));
    }

    #[test]
    fn relative_and_empty_path_folders_count_from_the_childs_cwd() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let here = file(dir.path(), "tool", "", 0o755);
        let below = file(dir.path(), "bin/other", "", 0o755);
        assert_eq!(lookup("tool", Some(OsStr::new("/nowhere:")), dir.path()), Ok(here.clone()));
        assert_eq!(lookup("other", Some(OsStr::new("bin")), dir.path()), Ok(below));
        assert_eq!(lookup("./tool", None, dir.path()).map(|p| p.canonicalize().expect("exists")), Ok(here));
    }

    #[test]
    fn p1_not_found_names_what_was_searched_and_the_near_miss() {
        let dir = tempfile::tempdir().expect("a temp dir");
        file(dir.path(), "server", "", 0o755);
        let error = lookup("server", Some(OsStr::new("/usr/bin:/bin")), dir.path()).expect_err("not in PATH");
        assert_eq!(
            error.to_string(),
            "`server` was not found in PATH; there is one in the working directory: write \"./server\" (searched /usr/bin:/bin)"
        );
        assert_eq!(error.short(), "not found");
        let error = lookup("./target/debug/x", None, dir.path()).expect_err("not built");
        assert!(error.to_string().ends_with("does not exist; build it first (`cargo build`)"), "{error}");
    }

    #[test]
    fn p2_directory_and_missing_bit_have_hints_of_their_own() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let script = file(dir.path(), "run.py", "print()", 0o644);
        let error = lookup("./run.py", None, dir.path()).expect_err("not executable");
        assert!(matches!(&error, SpawnError::NotExecutable { hint: Some(hint), .. } if hint.contains("[\"python3\", ")), "{error}");
        fs::create_dir(dir.path().join("d")).expect("a folder");
        let error = lookup("./d", None, dir.path()).expect_err("a folder");
        assert!(error.to_string().ends_with("cannot be run: it is a directory"), "{error}");
        // In PATH too, where execvp would say EACCES.
        let error = lookup("run.py", Some(dir.path().as_os_str()), dir.path()).expect_err("not executable");
        assert!(matches!(&error, SpawnError::NotExecutable { path, .. } if *path == script), "{error}");
    }

    #[test]
    fn p2_bad_interpreter_and_wrong_format_are_told_apart() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let script = file(dir.path(), "a", "#! /no/such/tclsh -u\n", 0o755);
        assert_eq!(
            explain_exec(&script, Errno::ENOENT as i32).to_string(),
            format!("{} cannot be run: its interpreter /no/such/tclsh does not exist", script.display())
        );
        let windows = file(dir.path(), "b", "#!/bin/sh\r\necho\r\n", 0o755);
        assert!(explain_exec(&windows, Errno::ENOENT as i32).to_string().ends_with("convert it to LF"));
        let text = file(dir.path(), "c", "hello\n", 0o755);
        let error = explain_exec(&text, Errno::ENOEXEC as i32);
        assert!(error.to_string().contains("add one, or name its interpreter"), "{error}");
        assert_eq!(error.short(), "not a program");
        assert!(explain_exec(&dir.path().join("gone"), Errno::ENOENT as i32).to_string().ends_with("does not exist"));
    }

    #[test]
    fn p3_a_missing_cwd_is_blamed_before_the_program() {
        let error = lookup("no-such-program", None, Path::new("/no/such/dir")).expect_err("no such cwd");
        assert_eq!(error.to_string(), "the working directory /no/such/dir cannot be entered: No such file or directory (ENOENT)");
        let error = lookup("sh", None, Path::new("/etc/passwd")).expect_err("a file");
        assert!(error.to_string().contains("ENOTDIR"), "{error}");
    }

    #[test]
    fn a_command_line_in_one_string_is_recognised() {
        let error = lookup("npm run dev", Some(OsStr::new("/bin")), Path::new("/")).expect_err("no such program");
        assert!(error.to_string().contains("goes into `shell`"), "{error}");
    }
}
