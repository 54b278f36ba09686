//! The picker: what can be run or replayed, when nothing was named.

use std::{io, os::fd::AsFd};

use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal as Asked},
    signalfd::{SfdFlags, SignalFd},
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    app::overlay::Typing,
    glyph::Glyph,
    key::{Code, Key},
    look::Look,
    options::Options,
    row::prompt::draw_plain,
    term::{
        self, Guard, Screen,
        decode::{Decoder, For, Input},
    },
    text::{self, Pen},
    theme::Role,
};

/// Where something to pick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A scenario file here.
    Here,
    /// A scenario that comes with the program.
    Bundled,
    /// A recorded run.
    Recording,
}

/// Something to pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What a user would write to name it.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// What it is: `4 processes, 2 tests`; of a recording its verdict.
    pub what: String,
    /// How its last run ended: `FAILED 3 min ago`.
    pub last: Option<String>,
    /// Whether that was a failure.
    pub failed: bool,
}

/// What was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked {
    /// Run or replay the choice of that number.
    Open(usize),
    /// Check the scenario of that number.
    Check(usize),
    /// Begin a new scenario here.
    Init,
    /// Nothing.
    Nothing,
    /// Nothing: this program is to end, says the signal of that number.
    Asked(i32),
}

/// The picker's state.
#[derive(Debug, Default)]
struct Picker {
    chosen: usize,
    typing: Option<Typing>,
    help: bool,
}

/// Lets the user pick one of `choices`.
///
/// # Errors
/// Where the terminal cannot be used.
pub fn pick(choices: &[Choice], options: &Options) -> io::Result<Picked> {
    // What asks for our end waits until the terminal is given back.
    let asked = SigSet::from_iter([Asked::SIGINT, Asked::SIGTERM, Asked::SIGHUP, Asked::SIGQUIT]);
    let before = asked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let picked = SignalFd::with_flags(&asked, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(io::Error::from)
        .and_then(|asked| pick_unless(&asked, choices, options));
    before.thread_set_mask()?;
    picked
}

fn pick_unless(asked: &SignalFd, choices: &[Choice], options: &Options) -> io::Result<Picked> {
    let guard = Guard::enter(options.plain)?;
    let (width, height) = term::size();
    let mut screen = Screen::new(width, height, options.plain)?;
    let (mut decoder, mut picker) = (Decoder::default(), Picker::default());
    let picked = loop {
        let (width, height) = term::size();
        if (width, height) != (screen.area().width, screen.area().height) {
            screen.resize(width, height);
        }
        let mut buffer = Buffer::empty(screen.area());
        let cursor = picker.draw(choices, &options.look, &mut buffer);
        screen.show(buffer, cursor)?;
        let stdin = io::stdin();
        // A signal that the window has another size ends the wait; the next round sees to it.
        let patience = if decoder.is_waiting() { std::time::Duration::from_millis(30) } else { std::time::Duration::from_secs(1) };
        let ready = term::wait(stdin.as_fd(), screen.is_behind().then(|| screen.fd()), asked, Some(patience))?;
        if let Some(signal) = asked.read_signal()? {
            break Picked::Asked(signal.ssi_signo.cast_signed());
        }
        if ready.gone {
            break Picked::Nothing;
        }
        if ready.output {
            screen.send()?;
        }
        let mut bytes = [0; 1024];
        let flushed = if ready.input {
            match nix::unistd::read(&stdin, &mut bytes) {
                Ok(0) | Err(nix::errno::Errno::EIO) => break Picked::Nothing,
                Ok(n) => decoder.feed(&bytes[..n]),
                Err(errno) => return Err(errno.into()),
            }
            None
        } else {
            decoder.flush(For::Dashboard)
        };
        let mut inputs = flushed.into_iter().chain(std::iter::from_fn(|| decoder.next(For::Dashboard)));
        if let Some(picked) = inputs.find_map(|input| match input {
            Input::Key(key) => picker.key(key, choices),
            Input::Paste(_) | Input::Mouse(_) | Input::Focus | Input::Keyboard | Input::Attributes | Input::Raw(_) => None,
        }) {
            break picked;
        }
    };
    screen.finish();
    drop(guard);
    Ok(picked)
}

impl Picker {
    /// The numbers of the choices that match what was typed.
    fn shown(&self, choices: &[Choice]) -> Vec<usize> {
        let typed = self.typing.as_ref().map(|typing| typing.text().to_lowercase()).unwrap_or_default();
        let matches = |choice: &Choice| choice.name.to_lowercase().contains(&typed) || choice.what.to_lowercase().contains(&typed);
        (0..choices.len()).filter(|i| matches(&choices[*i])).collect()
    }

    fn key(&mut self, key: Key, choices: &[Choice]) -> Option<Picked> {
        let shown = self.shown(choices);
        let here = shown.get(self.chosen).copied();
        let last = shown.len().saturating_sub(1);
        self.help = false;
        match key.code {
            Code::Enter => return here.map(Picked::Open),
            Code::Down => self.chosen = (self.chosen + 1).min(last),
            Code::Up => self.chosen = self.chosen.saturating_sub(1),
            Code::Esc if self.typing.take().is_some() => self.chosen = 0,
            Code::Char('c') if key.ctrl => return Some(Picked::Nothing),
            _ if self.typing.as_mut().is_some_and(|typing| typing.key(key)) => self.chosen = 0,
            Code::Char('j') => self.chosen = (self.chosen + 1).min(last),
            Code::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            Code::Char('g') | Code::Home => self.chosen = 0,
            Code::Char('G') | Code::End => self.chosen = last,
            Code::Char('/') => self.typing = Some(Typing::default()),
            Code::Char('c') => return here.filter(|i| choices[*i].place != Place::Recording).map(Picked::Check),
            Code::Char('n') => return Some(Picked::Init),
            Code::Char('?') => self.help = true,
            Code::Char('q') | Code::Esc => return Some(Picked::Nothing),
            _ => {}
        }
        None
    }

    /// Draws everything; returns where the cursor belongs.
    fn draw(&self, choices: &[Choice], look: &Look, buf: &mut Buffer) -> Option<Position> {
        let area = *buf.area();
        if area.is_empty() {
            return None;
        }
        let mut pen = Pen::new(buf, 0, 0, area.width);
        pen.gap(1).text("e2e-tui", look.style(Role::Strong)).gap(3).text("no scenario given", look.style(Role::Dim));
        pen.to(area.width.saturating_sub(7)).text("?", look.style(Role::Key)).gap(1).text("keys", look.style(Role::Dim));
        let shown = self.shown(choices);
        let room = usize::from(area.height.saturating_sub(2));
        let names = name_cells(choices, area.width);
        let first = self.chosen.saturating_sub(room / 2).min(shown.len().saturating_sub(room));
        for (y, (i, number)) in (1..area.height.saturating_sub(1)).zip(shown.iter().enumerate().skip(first)) {
            row(&choices[*number], names, i == self.chosen, look, Rect { y, height: 1, ..area }, buf);
        }
        if shown.is_empty() && area.height > 2 {
            let nothing = if choices.is_empty() { "nothing here yet: n begins a scenario" } else { "nothing matches" };
            Pen::new(buf, 0, 1, area.width).gap(1).fitted(nothing, look.ellipsis(), look.style(Role::Dim));
        }
        let last = Rect { y: area.height - 1, height: 1, ..area };
        if let Some(typing) = &self.typing {
            Pen::new(buf, 0, last.y, area.width).gap(1).text("/", look.style(Role::Prompt));
            return draw_plain(typing, Rect { x: 2.min(area.width), width: area.width.saturating_sub(2), ..last }, buf, look);
        }
        hints(self.help, look, last, buf);
        None
    }
}

/// Cells of the column of names: what they need, where there is room.
fn name_cells(choices: &[Choice], width: u16) -> u16 {
    let most = if width < 90 { NAMES } else { width / 3 };
    let longest = choices.iter().map(|choice| text::width(&choice.name)).max().unwrap_or(0);
    u16::try_from(longest).unwrap_or(u16::MAX).min(most).max(NAMES)
}

/// Cells of names where it is narrow.
const NAMES: u16 = 27;

fn row(choice: &Choice, names: u16, here: bool, look: &Look, area: Rect, buf: &mut Buffer) {
    let strong = if here { look.style(Role::Selected) } else { ratatui::style::Style::new() };
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    if here {
        pen.text(look.glyph(Glyph::Selected), look.style(Role::Selected));
    }
    pen.to(1).text(&text::fit(&choice.name, usize::from(names), look.ellipsis()), strong).to(names + 2);
    let place = match choice.place {
        Place::Here => "here",
        Place::Bundled => "bundled",
        Place::Recording => "recording",
    };
    let bad = look.style(if choice.failed { Role::Bad } else { Role::Plain });
    pen.text(place, look.style(Role::Dim)).to(names + 12);
    let what = if choice.place == Place::Recording { bad } else { look.style(Role::Plain) };
    match &choice.last {
        None => pen.fitted(&choice.what, look.ellipsis(), what),
        Some(last) => {
            let said = if usize::from(area.width) > usize::from(names) + 35 + 6 + text::width(last) { "last: " } else { "" };
            pen.text(&text::fit(&choice.what, 22, look.ellipsis()), what).to(names + 35).text(said, look.style(Role::Dim)).text(last, bad)
        }
    };
}

fn hints(all: bool, look: &Look, area: Rect, buf: &mut Buffer) {
    let usual: &[(&str, &str)] =
        &[("Enter", "run or replay"), ("/", "find"), ("c", "check"), ("n", "new scenario here (init)"), ("q", "quit")];
    let others: &[(&str, &str)] = &[("j k ↑ ↓", "move"), ("g G", "first, last"), ("Esc", "back or quit"), ("C-c", "quit")];
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.gap(1);
    for (i, (key, what)) in if all { others } else { usual }.iter().enumerate() {
        pen.gap(if i == 0 { 0 } else { 3 });
        pen.text(key, look.style(Role::Key)).gap(1).text(what, look.style(Role::Dim));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::tests::{options, picture};

    fn choices() -> Vec<Choice> {
        let choice = |name: &str, place, what: &str, last: Option<&str>, failed| Choice {
            name: name.into(),
            place,
            what: what.into(),
            last: last.map(Into::into),
            failed,
        };
        vec![
            choice("scenarios/forward.toml", Place::Here, "4 processes, 2 tests", Some("FAILED 3 min ago"), true),
            choice("scenarios/reverse.toml", Place::Here, "5 processes, 1 test", Some("passed 1 h ago"), false),
            choice("crash-restart", Place::Bundled, "the upstream dies on its third call", None, false),
            choice("forward", Place::Bundled, "clients -> proxy -> upstream, ends green", None, false),
            choice("2026-11-23-0625-forward-k3", Place::Recording, "FAILED  41.2 s   client-a exit 1", None, true),
        ]
    }

    fn shown(picker: &Picker, width: u16, height: u16) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        picker.draw(&choices(), &options().look, &mut buffer);
        picture(&buffer)
    }

    #[test]
    fn it_offers_scenarios_and_recordings() {
        insta::assert_snapshot!(shown(&Picker::default(), 85, 7), @"
        | e2e-tui   no scenario given                                                  ? keys |
        |▌scenarios/forward.toml      here      4 processes, 2 tests   last: FAILED 3 min ago |
        | scenarios/reverse.toml      here      5 processes, 1 test    last: passed 1 h ago   |
        | crash-restart               bundled   the upstream dies on its third call           |
        | forward                     bundled   clients -> proxy -> upstream, ends green      |
        | 2026-11-23-0625-forward-k3  recording FAILED  41.2 s   client-a exit 1              |
        | Enter run or replay   / find   c check   n new scenario here (init)   q quit        |
        ");
        assert!(shown(&Picker::default(), 80, 7).contains("4 processes, 2 tests   FAILED 3 min ago"));
    }

    #[test]
    fn what_is_typed_narrows_the_list_and_keys_pick() {
        let mut picker = Picker::default();
        let press = |picker: &mut Picker, c| picker.key(Key::char(c), &choices());
        assert_eq!(press(&mut picker, 'j'), None);
        assert_eq!(press(&mut picker, 'c'), Some(Picked::Check(1)));
        for c in "/crash".chars() {
            assert_eq!(press(&mut picker, c), None);
        }
        assert_eq!(picker.key(Key::plain(Code::Enter), &choices()), Some(Picked::Open(2)));
        assert_eq!(picker.key(Key::plain(Code::Esc), &choices()), None);
        assert_eq!(press(&mut picker, 'G'), None);
        assert_eq!(press(&mut picker, 'c'), None, "a recording cannot be checked");
        assert_eq!(press(&mut picker, 'n'), Some(Picked::Init));
        assert_eq!(press(&mut picker, 'q'), Some(Picked::Nothing));
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(0, 0), (1, 1), (5, 2), (300, 3)] {
            shown(&Picker { typing: Some(Typing::default()), ..Picker::default() }, width, height);
            shown(&Picker::default(), width, height);
        }
    }
}
