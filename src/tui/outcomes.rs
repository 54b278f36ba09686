//! What the loop does for the app: everything that reaches beyond the dashboard's own state.

use std::{
    cell::Cell,
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command as Program,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    process::stop_group_until_continued,
    record::{default_dir, write_private},
};

use super::{
    action::Action,
    app::{NOTHING_TO_COPY, Outcome},
    event_loop::EventLoop,
    front::Ended,
    keymap::Context,
    logview::{desk::Seek, query},
    term::{Guard, decode::Input, is_in_front, size},
    units::counted,
};

/// More than a terminal's clipboard takes.
const CLIPBOARD: usize = 74_000;

impl EventLoop {
    /// Takes what came from the terminal. Keys that come in one piece see what the ones before them led to, as if they had
    /// come one by one; a flood of them (not `few`) does not wait for that.
    pub(super) fn take(&mut self, input: Input, few: bool) {
        if few {
            self.stage.look_again();
        }
        let now = self.stage.now();
        let outcomes = match input {
            Input::Key(key) => self.stage.with_world(now, |app, world| app.key(key, world)),
            Input::Raw(bytes) => self.stage.app.typed(bytes),
            Input::Paste(text) => {
                self.stage.with_world(now, |app, world| app.paste(&text, world));
                Vec::new()
            }
            Input::Mouse(mouse) => self.mouse(mouse),
            Input::Keyboard | Input::Attributes => {
                self.answered(&input);
                Vec::new()
            }
            Input::Focus => {
                // Whoever had the window meanwhile may have drawn on it.
                self.screen.forget();
                Vec::new()
            }
        };
        self.carry_out(outcomes);
        self.speak_to_keyboard();
    }

    /// Carries out what keys led to.
    pub(super) fn carry_out(&mut self, outcomes: Vec<Outcome>) {
        let now = self.stage.now();
        for outcome in outcomes {
            match outcome {
                Outcome::Send(command) => {
                    let replies = self.replies.clone();
                    if let Some(commands) = &self.front.commands {
                        let waker = self.waker.clone();
                        let refused = move |why| {
                            replies.lock().unwrap_or_else(PoisonError::into_inner).push((why, true));
                            waker.wake();
                        };
                        commands(command, Box::new(refused));
                    }
                }
                Outcome::Seek(seek) => self.stage.seek(seek, now),
                Outcome::Travel(to) => self.stage.travel(to, now),
                Outcome::Copy { from, to } => self.copy(from, to),
                Outcome::CopyText { text, what } => self.hand_over(&text, &what),
                Outcome::Edit { path, line } => self.edit(&path, line),
                Outcome::Clear => {
                    if let Ok(seq) = self.stage.desk.newest_seq() {
                        self.stage.app.log.cleared_before = seq;
                    }
                    self.stage.seek(Seek::Follow, now);
                }
                Outcome::Export => self.export(),
                Outcome::Mouse(on) => {
                    let modes = if on { "\x1b[?1000h\x1b[?1002h\x1b[?1006h" } else { "\x1b[?1006l\x1b[?1002l\x1b[?1000l" };
                    self.tell_terminal(modes);
                }
                Outcome::Redraw => self.screen.forget(),
                Outcome::Suspend => self.suspend(stop_group_until_continued),
                Outcome::Leave => {
                    let over = !self.front.abilities().live || self.stage.present.phase == crate::model::Phase::Ended;
                    self.ended = Some(if over { Ended::Over } else { Ended::Forced });
                }
            }
        }
    }

    fn copy(&mut self, from: u64, to: u64) {
        let now = self.stage.now();
        let lines = match self.stage.desk.copy(from, to) {
            Ok(lines) => lines,
            Err(error) => return self.stage.app.complain(now, format!("the log cannot be read: {error}")),
        };
        if lines.is_empty() {
            return self.stage.app.complain(now, NOTHING_TO_COPY);
        }
        let text: String = lines.iter().map(|line| query::text_of(line) + "\n").collect();
        self.hand_over(&text, &counted(lines.len() as u64, "line"));
    }

    /// Gives a text to the clipboard and, since no terminal says whether it took it, to a file; says what went where.
    pub(super) fn hand_over(&mut self, text: &str, what: &str) {
        let now = self.stage.now();
        let what = format!("{what}, {} bytes", text.len());
        let clipboard = text.len() <= CLIPBOARD && !self.front.options.plain;
        if clipboard {
            let encoded = base64(text.as_bytes());
            self.tell_terminal(&format!("\x1b]52;c;{encoded}\x1b\\"));
        }
        let file = to_file(text).map(|path| abbreviated(&path));
        match (clipboard, file) {
            (true, Ok(path)) => self.stage.app.say(now, format!("copied {what}   to the clipboard (OSC 52) and to {path}")),
            (true, Err(_)) => self.stage.app.say(now, format!("copied {what}   to the clipboard, if your terminal takes OSC 52")),
            (false, Ok(path)) => self.stage.app.say(now, format!("copied {what}   to {path}")),
            (false, Err(error)) => self.stage.app.complain(now, format!("{what} could not be copied: {error}")),
        }
    }

    /// Writes an archive on a thread of its own; asked again meanwhile, it is given up.
    fn export(&mut self) {
        let Some(export) = self.front.export.clone() else { return };
        let now = self.stage.now();
        if let Some(wanted) = self.exporting.upgrade() {
            wanted.store(false, Ordering::Relaxed);
            return self.stage.app.say(now, "giving the archive up");
        }
        let key = self.front.options.keymap.key_of(Context::Everywhere, Action::Export).unwrap_or_default();
        self.stage.app.say(now, "writing an archive");
        let wanted = Arc::new(AtomicBool::new(true));
        self.exporting = Arc::downgrade(&wanted);
        let (replies, waker) = (self.replies.clone(), self.waker.clone());
        let reply = move |said: String| {
            replies.lock().unwrap_or_else(PoisonError::into_inner).push((said, false));
            waker.wake();
        };
        let written = std::thread::Builder::new().name("export".into()).spawn(move || {
            let told = Cell::new(0);
            let said = export(&|share| {
                // Every tenth is news.
                let tenths = (share * 10.0) as u32;
                if told.replace(tenths) < tenths && tenths < 10 {
                    reply(format!("writing an archive   {} %   {key} gives it up", tenths * 10));
                }
                wanted.load(Ordering::Relaxed)
            });
            drop(wanted);
            reply(said);
        });
        if let Err(error) = written {
            self.stage.app.complain(now, format!("no archive: {error}"));
        }
    }

    /// Opens a place in $EDITOR, which has the terminal until it ends.
    fn edit(&mut self, path: &str, line: u32) {
        let now = self.stage.now();
        let editor = std::env::var("VISUAL").or_else(|_| std::env::var("EDITOR"));
        let Ok(editor) = editor else {
            return self.stage.app.complain(now, format!("{path}:{line}   set $EDITOR to open it from here"));
        };
        let Some(found) = self.find_source(path) else {
            return self.stage.app.complain(now, format!("{path} is not below any process's folder"));
        };
        let mut words = editor.split_whitespace();
        let Some(program) = words.next() else { return };
        self.hear_out();
        self.guard = None;
        let status = Program::new(program).args(words).args(place_in(program, &found, line)).status();
        self.back();
        if let Err(error) = status {
            self.stage.app.complain(now, format!("{program}: {error}"));
        }
    }

    /// The file that a process calls `path`.
    fn find_source(&self, path: &str) -> Option<PathBuf> {
        let direct = PathBuf::from(path);
        let below = self.stage.snapshot.rows.iter().map(|row| PathBuf::from(&row.info.cwd).join(path));
        std::iter::once(direct).chain(below).find(|candidate| candidate.is_file())
    }

    /// Stops like any program that is asked to by Ctrl-Z, and all processes with it; comes back when the shell says so, which is
    /// when `stop` returns.
    pub(super) fn suspend(&mut self, stop: fn()) {
        if self.guard.is_some() {
            self.screen.finish();
            self.hear_out();
        }
        let suspended = self.front.suspend.as_ref().map(|suspend| suspend());
        self.guard = None;
        stop();
        self.back();
        drop(suspended);
    }

    /// Takes the terminal again after somebody else had it, if it is our turn. In the background (`bg`, or a shell that ends a
    /// stopped job) the run goes on without a screen: who took it there would be stopped in the midst of that.
    pub(super) fn back(&mut self) {
        if !is_in_front() {
            return;
        }
        match Guard::enter(self.front.options.plain) {
            Ok(guard) => self.guard = Some(guard),
            Err(_) => self.ended = Some(Ended::TerminalGone),
        }
        self.dirty = true;
        let (width, height) = size();
        self.screen.resize(width, height);
        if self.stage.app.mouse {
            self.carry_out(vec![Outcome::Mouse(true)]);
        }
        self.enhance();
        // The title was pushed anew.
        self.titled.clear();
        self.title();
    }

    /// The window's title, while the dashboard is open.
    pub(super) fn title(&mut self) {
        if self.front.options.plain {
            return;
        }
        let snapshot = &self.stage.present;
        let name = snapshot.run.as_ref().map_or("", |run| &run.scenario);
        let verdict = snapshot.outcome.as_ref().map_or("", |outcome| outcome.verdict.badge());
        let title: String = format!("{verdict} {name}").trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(64).collect();
        if title == self.titled {
            return;
        }
        self.tell_terminal(&format!("\x1b]2;{title} - e2e-tui\x1b\\"));
        self.titled = title;
    }

    /// Sends an escape sequence, while the terminal is ours.
    pub(super) fn tell_terminal(&mut self, sequence: &str) {
        if self.guard.is_none() {
            return;
        }
        if let Err(e) = self.screen.write(sequence)
            && super::event_loop::is_gone(&e)
        {
            self.ended = Some(Ended::TerminalGone);
        }
    }
}

/// How an editor is told a place: most take `+LINE FILE` as vi does, others know a way of their own.
fn place_in(program: &str, file: &Path, line: u32) -> Vec<std::ffi::OsString> {
    let with_line = || {
        let mut place = file.as_os_str().to_owned();
        place.push(format!(":{line}"));
        place
    };
    match Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program) {
        "code" | "code-insiders" | "codium" | "cursor" | "windsurf" => vec!["--goto".into(), with_line()],
        "hx" | "helix" | "subl" | "zed" | "zeditor" => vec![with_line()],
        "idea" | "clion" | "rustrover" | "pycharm" | "goland" | "webstorm" | "kate" => {
            vec!["--line".into(), line.to_string().into(), file.as_os_str().to_owned()]
        }
        _ => vec![format!("+{line}").into(), file.as_os_str().to_owned()],
    }
}

/// Writes a copy where nobody else can read it: always the same file, so that it is found without looking.
fn to_file(text: &str) -> io::Result<PathBuf> {
    let recordings = default_dir();
    let folder = recordings.parent().unwrap_or(&recordings);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join("copy.txt");
    write_private(&path, text.as_bytes())?;
    Ok(path)
}

/// A path as people write it: what is below the home folder begins with `~`.
fn abbreviated(path: &Path) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute() && home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_path_buf)) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}

/// For OSC 52, whose payload is base64 and so holds nothing that could end it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().enumerate().fold(0u32, |n, (i, b)| n | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = DIGITS[(n >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_are_told_the_line_in_their_own_way() {
        let told = |program: &str| {
            place_in(program, Path::new("src/a.rs"), 42)
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(told("/usr/bin/nvim"), "+42 src/a.rs");
        assert_eq!(told("code"), "--goto src/a.rs:42");
        assert_eq!(told("hx"), "src/a.rs:42");
        assert_eq!(told("idea"), "--line 42 src/a.rs");
    }

    #[test]
    fn the_clipboard_gets_base64() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
