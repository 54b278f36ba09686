//! What can lie over the panes, one at a time, and the keys it has of its own.

use tui_input::{Input, InputRequest};

use std::sync::Arc;

use crate::{
    model::{ProcessId, ProcessSnapshot, Signal},
    tap::ExchangeId,
    tui::{
        action::{Action, Group},
        key::{Code, Key},
    },
};

/// What a prompt asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromptKind {
    Find,
    FilterIn,
    FilterOut,
    /// A line for this process, wherever the selection moves while it is typed.
    SendLine(ProcessId),
    Mark,
}

impl PromptKind {
    /// What stands before the input.
    pub(crate) fn sign(&self) -> &'static str {
        match self {
            Self::Find => "/",
            Self::FilterIn => "&",
            Self::FilterOut => "!",
            Self::SendLine(_) => ">",
            Self::Mark => "mark:",
        }
    }
}

/// A line being typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typing(Input);

impl Typing {
    pub(crate) fn with(text: &str) -> Self {
        Self(Input::new(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        self.0.value()
    }

    /// The cursor, in cells from the text's beginning.
    pub(crate) fn cursor(&self) -> usize {
        self.0.visual_cursor()
    }

    /// Takes a key; false if it is none for a line editor.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        let request = match (key.code, key.ctrl, key.alt) {
            (Code::Char(c), false, false) => InputRequest::InsertChar(c),
            (Code::Backspace, false, false) => InputRequest::DeletePrevChar,
            (Code::Char('w'), true, false) | (Code::Backspace, _, true) => InputRequest::DeletePrevWord,
            (Code::Delete, false, _) => InputRequest::DeleteNextChar,
            (Code::Left, false, false) => InputRequest::GoToPrevChar,
            (Code::Right, false, false) => InputRequest::GoToNextChar,
            (Code::Left, _, _) | (Code::Char('b'), _, true) => InputRequest::GoToPrevWord,
            (Code::Right, _, _) | (Code::Char('f'), _, true) => InputRequest::GoToNextWord,
            (Code::Home, ..) | (Code::Char('a'), true, _) => InputRequest::GoToStart,
            (Code::End, ..) | (Code::Char('e'), true, _) => InputRequest::GoToEnd,
            (Code::Char('u'), true, _) => InputRequest::DeleteFromStart,
            (Code::Char('k'), true, _) => InputRequest::DeleteTillEnd,
            _ => return false,
        };
        self.0.handle(request);
        true
    }

    /// Takes pasted text; line ends become blanks, so that a paste never presses Enter.
    pub(crate) fn paste(&mut self, text: &str) {
        for c in text.chars().take(4096) {
            let c = if c.is_control() { ' ' } else { c };
            self.0.handle(InputRequest::InsertChar(c));
        }
    }
}

/// What lies over the panes.
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    /// The keys; what is typed narrows the list.
    Help { typing: Option<Typing>, scroll: usize },
    /// Whether to stop everything and quit.
    AskQuit,
    /// Any action or process by name.
    Palette { typing: Typing, chosen: usize },
    /// Keys go to the terminal of a process, all but one.
    Type { process: ProcessId },
    /// A line to type.
    Prompt { kind: PromptKind, typing: Typing },
    /// Which signal to send.
    Signals { process: ProcessId, chosen: usize },
    /// What to do to the traffic of a tap.
    Disturb { process: ProcessId, chosen: usize },
    /// The selected process in full.
    Details { scroll: usize },
    /// All events; `chosen` counts from the newest.
    Timeline { chosen: usize },
    /// What went through taps; without a choice the newest.
    Traffic { chosen: Option<ExchangeId> },
    /// One exchange in full; `back` is what the list goes back to.
    Exchange { id: ExchangeId, scroll: usize, back: Option<ExchangeId> },
    /// All alerts; `chosen` counts from the newest.
    Alerts { chosen: usize },
    /// All expectations, in the order of the file.
    Expectations { chosen: usize },
    /// All steps of the script, in the order of the file.
    Steps { chosen: usize },
    /// One line exactly as it was written.
    Line { text: String, scroll: usize },
    /// The tool's own log.
    OwnLog,
}

impl Overlay {
    /// Keeps a scroll position within what there is to scroll.
    pub(crate) fn clamp(&mut self, end: usize) {
        match self {
            Overlay::Help { scroll, .. }
            | Overlay::Details { scroll }
            | Overlay::Line { scroll, .. }
            | Overlay::Exchange { scroll, .. } => {
                *scroll = (*scroll).min(end);
            }
            Overlay::AskQuit
            | Overlay::Palette { .. }
            | Overlay::Prompt { .. }
            | Overlay::Type { .. }
            | Overlay::Signals { .. }
            | Overlay::Disturb { .. }
            | Overlay::Timeline { .. }
            | Overlay::Traffic { .. }
            | Overlay::Alerts { .. }
            | Overlay::Expectations { .. }
            | Overlay::Steps { .. }
            | Overlay::OwnLog => {}
        }
    }
}

/// The signals offered, the usual ones first.
pub(crate) fn signals() -> Vec<Signal> {
    let first = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL", "STOP", "CONT"];
    let usual = first.into_iter().map(str::to_owned);
    let others = Signal::names().map(str::to_owned).filter(|name| !first.contains(&name.as_str()));
    usual.chain(others).filter_map(|name| Signal::parse(&name).ok()).collect()
}

/// What the palette offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    Action(Action),
    /// A process, by its row.
    Process(usize, ProcessId),
    /// Something done to a process.
    Deed(Action, usize, ProcessId),
    /// A process left alone for a debugger, or, if it is held already, no longer.
    Hold {
        row: usize,
        id: ProcessId,
        held: bool,
    },
}

/// What the palette offers for each process, once something is typed.
const DEEDS: [Action; 8] =
    [Action::Start, Action::Restart, Action::RestartNow, Action::Stop, Action::StopNow, Action::SendSignal, Action::Details, Action::Open];

impl Offer {
    /// What is matched and shown.
    pub(crate) fn text(&self) -> String {
        match self {
            Offer::Action(action) => action.help().to_owned(),
            Offer::Process(_, id) => format!("go to {id}"),
            Offer::Hold { id, held: false, .. } => format!("hold {id} for a debugger"),
            Offer::Hold { id, .. } => format!("release {id}, which is held"),
            Offer::Deed(action, _, id) => match action {
                Action::RestartNow => format!("kill and restart {id}"),
                Action::StopNow => format!("kill {id}"),
                Action::SendSignal => format!("send {id} a signal"),
                Action::Details => format!("details of {id}"),
                Action::Open => format!("log of {id}"),
                action => format!("{} {id}", action.name()),
            },
        }
    }
}

/// The offers that match `typed`, best first.
pub(crate) fn offers(typed: &str, rows: &[Arc<ProcessSnapshot>]) -> Vec<Offer> {
    // Processes go by their names here, and movements come last: who can choose here can move.
    let moves = |action: &Action| action.group() == Group::Move;
    let actions = Action::all().filter(|action| !matches!(action, Action::Process(_)));
    let (moving, doing): (Vec<Action>, Vec<Action>) = actions.partition(moves);
    let actions = doing.into_iter().chain(moving).map(Offer::Action);
    let processes: Vec<(usize, ProcessId)> = rows.iter().map(|row| row.id().clone()).enumerate().collect();
    let holds = rows.iter().enumerate().map(|(row, of)| Offer::Hold { row, id: of.id().clone(), held: of.held });
    let deeds = DEEDS.iter().flat_map(|action| processes.iter().map(|(row, id)| Offer::Deed(*action, *row, id.clone())));
    let deeds = deeds.chain(holds).take(if typed.trim().is_empty() { 0 } else { usize::MAX });
    let all = processes.iter().map(|(row, id)| Offer::Process(*row, id.clone())).chain(actions).chain(deeds);
    let mut scored: Vec<(u32, Offer)> = all
        .filter_map(|offer| {
            // A hold is taken back by the word it was asked for with, too.
            let other = match &offer {
                Offer::Action(action) => action.name().to_owned(),
                Offer::Hold { id, .. } => format!("hold {id}"),
                Offer::Process(..) | Offer::Deed(..) => String::new(),
            };
            let score = fuzzy(typed, &offer.text()).into_iter().chain(fuzzy(typed, &other)).min()?;
            // Who names a process and nothing to do wants to go there.
            let behind = match &offer {
                Offer::Deed(..) | Offer::Hold { .. } => 8,
                Offer::Action(action) if moves(action) => 64 * 16,
                Offer::Action(_) | Offer::Process(..) => 0,
            };
            Some((score + behind, offer))
        })
        .collect();
    scored.sort_by_key(|(score, _)| *score);
    scored.into_iter().map(|(_, offer)| offer).collect()
}

/// How far `text` is from what was typed: its letters must all come in order. Less is better.
fn fuzzy(typed: &str, text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let (mut score, mut at) = (0, 0);
    let mut apart = true;
    for c in typed.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let found = at + text[at..].find(c)?;
        let begins_word = found == 0 || text[..found].ends_with([' ', '-']);
        if found > at || apart {
            score += if begins_word { 1 } else { 4 + (found - at) as u32 };
        }
        apart = false;
        at = found + c.len_utf8();
    }
    Some(score * 64 + text.len().min(63) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProcessInfo, Role};

    fn rows() -> Vec<Arc<ProcessSnapshot>> {
        let info = |name: &str| ProcessInfo {
            name: ProcessId::new(name).expect("a name"),
            role: Role::Service,
            kind: None,
            stand_in: false,
            listens: Vec::new(),
            has_health: false,
            waits_for: Vec::new(),
            max_restarts: None,
            argv: Vec::new(),
            cwd: String::new(),
            reads: crate::model::Reads::Nothing,
            taps_pipes: false,
            awaits: String::new(),
            settings: Vec::new(),
        };
        ["upstream", "proxy"].map(|name| Arc::new(ProcessSnapshot::new(Arc::new(info(name))))).into()
    }

    #[test]
    fn the_palette_finds_actions_and_processes_by_their_letters() {
        let of = |typed| offers(typed, &rows());
        assert_eq!(of("rert").first(), Some(&Offer::Action(Action::RerunTests)));
        assert_eq!(of("prox").first().map(Offer::text).as_deref(), Some("go to proxy"));
        assert_eq!(of("zoom").first(), Some(&Offer::Action(Action::Zoom)));
        assert_eq!(of("rest prox").first().map(Offer::text).as_deref(), Some("restart proxy"));
        assert_eq!(of("kill up").first().map(Offer::text).as_deref(), Some("kill upstream"));
        assert_eq!(of("log of p").first().map(Offer::text).as_deref(), Some("log of proxy"));
        assert!(of("qqqq").is_empty());
        let named = Action::all().filter(|action| !matches!(action, Action::Process(_))).count();
        assert_eq!(of("").len(), rows().len() + named, "every process and every action");
        assert_eq!(of("focus-previous").first(), Some(&Offer::Action(Action::FocusPrevious)));
    }

    #[test]
    fn a_hold_is_asked_for_and_taken_back_by_name() {
        let mut rows = rows();
        let first = |rows: &[Arc<ProcessSnapshot>], typed| offers(typed, rows).first().map(Offer::text);
        assert_eq!(first(&rows, "hold proxy").as_deref(), Some("hold proxy for a debugger"));
        Arc::make_mut(&mut rows[1]).held = true;
        assert_eq!(first(&rows, "hold proxy").as_deref(), Some("release proxy, which is held"));
        assert_eq!(first(&rows, "release").as_deref(), Some("release proxy, which is held"));
    }

    #[test]
    fn a_paste_presses_no_key() {
        let mut typing = Typing::default();
        typing.paste("a\r\nb\x1b[31m");
        assert_eq!(typing.text(), "a  b [31m");
    }

    #[test]
    fn signals_begin_with_the_usual_ones() {
        assert_eq!(signals().first(), Some(&Signal::TERM));
        assert!(signals().len() > 25);
    }
}
