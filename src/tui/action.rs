//! Everything a key, the palette or a click can ask of the dashboard: one closed list, each with the name that
//! keymap files use and the words that help and palette show.

macro_rules! actions {
    ($($variant:ident $name:literal $help:literal $group:ident;)*) => {
        /// Something a user can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Action {
            $($variant,)*
            /// The process of that number, from 1 to 9.
            Process(u8),
        }

        impl Action {
            /// All of them, in the order of the help.
            pub(crate) fn all() -> impl Iterator<Item = Action> {
                [$(Action::$variant),*].into_iter().chain((1..=9).map(Action::Process))
            }

            /// Its name in keymap files: `restart-now`.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Action::$variant => $name,)*
                    Action::Process(number) => PROCESSES[usize::from(number.clamp(1, 9)) - 1],
                }
            }

            /// What it does, in words.
            pub(crate) fn help(self) -> &'static str {
                match self {
                    $(Action::$variant => $help,)*
                    Action::Process(_) => "choose a process by its number",
                }
            }

            /// Where help lists it.
            pub(crate) fn group(self) -> Group {
                match self {
                    $(Action::$variant => Group::$group,)*
                    Action::Process(_) => Group::Move,
                }
            }
        }
    };
}

/// Names of the actions that choose a process.
const PROCESSES: [&str; 9] =
    ["process-1", "process-2", "process-3", "process-4", "process-5", "process-6", "process-7", "process-8", "process-9"];

/// The chapters of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Move,
    Process,
    Log,
    Everywhere,
    Audience,
}

impl Group {
    pub(crate) const ALL: [Group; 5] = [Group::Move, Group::Process, Group::Log, Group::Audience, Group::Everywhere];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Group::Move => "Move",
            Group::Process => "Process (in the table or a log of one process)",
            Group::Log => "Log",
            Group::Everywhere => "Everywhere",
            Group::Audience => "The script (its keys: in the layout demo)",
        }
    }
}

actions! {
    Down "down" "next row or line" Move;
    Up "up" "previous row or line" Move;
    Top "top" "first" Move;
    Bottom "bottom" "last; in a log: follow" Move;
    PageDown "page-down" "a page down" Move;
    PageUp "page-up" "a page up" Move;
    HalfPageDown "half-page-down" "half a page down" Move;
    HalfPageUp "half-page-up" "half a page up" Move;
    Left "left" "scroll to the left" Move;
    Right "right" "scroll to the right" Move;
    FocusNext "focus-next" "between table and log" Move;
    FocusPrevious "focus-previous" "previous pane, through all that are shown" Move;
    Open "open" "open, unfold or jump" Move;
    Back "back" "back" Move;

    Start "start" "start it" Process;
    Restart "restart" "restart it" Process;
    RestartNow "restart-now" "kill and restart it" Process;
    Stop "stop" "stop its whole tree; it stays down" Process;
    StopNow "stop-now" "kill its whole tree; it stays down" Process;
    SendSignal "send-signal" "send it a signal" Process;
    SendLine "send-line" "send it a line; on a terminal of its own type, C-] ends" Process;
    Hold "hold" "leave it alone for a debugger (no probes, no policy), or no longer" Process;
    Details "details" "details, and why it is in this state" Process;
    Tick "tick" "tick it, for a log of the ticked ones" Process;
    Sort "sort" "sort the table" Process;

    Follow "follow" "follow the newest line" Log;
    Find "find" "find" Log;
    FindNext "find-next" "next match" Log;
    FindPrevious "find-previous" "previous match" Log;
    FilterIn "filter-in" "show only lines that match" Log;
    FilterOut "filter-out" "hide lines that match" Log;
    FilterClear "filter-clear" "clear filters" Log;
    MoreContext "more-context" "more lines around matches" Log;
    LessContext "less-context" "fewer lines around matches" Log;
    NextAlert "next-alert" "next alert" Log;
    PreviousAlert "previous-alert" "previous alert" Log;
    FirstFailure "first-failure" "first failure, then along \"What happened\"" Log;
    Highlight "highlight-token" "highlight the token under the cursor" Log;
    NextToken "next-token" "next line with the token" Log;
    PreviousToken "previous-token" "previous line with the token" Log;
    AlertsOnly "alerts-only" "alerts only" Log;
    Mute "mute" "mute the line's process" Log;
    ProbeLines "probe-lines" "show or hide health-probe lines" Log;
    Wrap "wrap" "wrap long lines" Log;
    TimeForm "time-form" "time: since start, wall clock, delta, as written" Log;
    AsWritten "as-written" "lines as written or tidied" Log;
    Select "select" "select lines" Log;
    Copy "copy" "copy the selection, else the line or its folded block" Log;
    Edit "edit" "open the line's path:line in $EDITOR" Log;
    Clear "clear" "clear the view (never the file)" Log;

    MergedOrSingle "merged-or-single" "log of all, or of the selected process" Everywhere;
    SideBySide "side-by-side" "ticked logs side by side" Everywhere;
    Mark "mark" "mark this moment with a note" Everywhere;
    NextMark "next-mark" "next mark" Everywhere;
    PreviousMark "previous-mark" "previous mark" Everywhere;
    PreviousEvent "previous-event" "in time: to the event before" Everywhere;
    NextEvent "next-event" "in time: to the next event" Everywhere;
    PreviousFailure "previous-failure" "in time: to the failure or restart before" Everywhere;
    NextFailure "next-failure" "in time: to the next failure or restart" Everywhere;
    Now "now" "back to now" Everywhere;
    Timeline "timeline" "timeline of all events" Everywhere;
    Traffic "traffic" "what went through taps" Everywhere;
    Disturb "disturb" "disturb what goes through a tap; again: the last fault once more" Everywhere;
    Alerts "alerts" "list of alerts" Everywhere;
    Expectations "expectations" "list of expectations" Everywhere;
    RerunTests "rerun-tests" "rerun the tests; services stay" Everywhere;
    Steps "steps" "list of steps" Everywhere;
    NextStep "next-step" "carry out the next step of the script now" Audience;
    RepeatStep "repeat-step" "carry out the last step again" Audience;
    HoldSteps "hold-steps" "keep the script from going on by itself, or no longer" Audience;
    Export "export" "export an archive" Everywhere;
    Zoom "zoom" "the focused pane alone, or all" Everywhere;
    Layout "layout" "next layout" Everywhere;
    Palette "palette" "palette: any action or process by name" Everywhere;
    OwnLog "own-log" "the log of e2e-tui itself" Everywhere;
    Help "help" "these keys" Everywhere;
    Mouse "mouse" "mouse on or off" Everywhere;
    Redraw "redraw" "redraw the screen" Everywhere;
    Suspend "suspend" "suspend" Everywhere;
    Quit "quit" "back or quit (asks while something runs)" Everywhere;
    StopAndQuit "stop-and-quit" "stop all and quit" Everywhere;
    Interrupt "interrupt" "stop all and quit; again: kill now; in a prompt: back" Everywhere;
}

impl Action {
    /// The action a keymap file calls `name`. Underscores do as well as hyphens.
    pub(crate) fn named(name: &str) -> Option<Action> {
        let name = name.replace('_', "-");
        Self::all().find(|action| action.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_found_by_its_name_in_both_spellings() {
        for action in Action::all() {
            assert_eq!(Action::named(action.name()), Some(action));
            assert_eq!(Action::named(&action.name().replace('-', "_")), Some(action));
        }
        assert_eq!(Action::named("explode"), None);
    }
}
