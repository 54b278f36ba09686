//! The last row: which keys act now, and on what. Made from the live keymap.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    model::ProcessState,
    tui::{
        action::Action,
        app::{log::Scope, overlay::Overlay},
        keymap::Found,
        layout::Pane,
        logview::query,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
    },
};

/// A key with what it does.
#[derive(Debug, Clone)]
struct Hint {
    key: String,
    label: String,
    /// In fewer words.
    short: String,
    /// Left out first where it is narrow.
    roomy: bool,
    /// Never left out.
    last: bool,
}

/// Hints that belong together.
type Group = Vec<Hint>;

/// Draws the row.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.gap(1);
    if let Some(keys) = overlay_keys(scene) {
        pen.fitted(keys, look.ellipsis(), look.style(Role::Dim));
        return;
    }
    let groups = if scene.app.pending.is_empty() { groups(scene) } else { which_key(scene) };
    let (groups, gap) = fitting(groups, usize::from(area.width.saturating_sub(1)));
    for (i, group) in groups.iter().enumerate() {
        pen.gap(if i == 0 { 0 } else { gap });
        for (j, hint) in group.iter().enumerate() {
            pen.gap(if j == 0 { 0 } else { 2 });
            pen.text(&hint.key, look.style(Role::Key)).gap(1).text(&hint.label, look.style(Role::Dim));
        }
    }
}

/// The keys of what lies over the panes.
fn overlay_keys(scene: &Scene<'_>) -> Option<&'static str> {
    Some(match scene.app.overlay.as_ref()? {
        Overlay::Help { typing: None, .. } => "j k scroll  / search  Esc back",
        Overlay::Help { typing: Some(_), .. } => "type to search  ↑ ↓ scroll  Esc all keys",
        Overlay::AskQuit => "Enter stop all and quit  Esc stay",
        Overlay::Palette { .. } => "type to search  ↑ ↓ choose  Enter do it  Esc back",
        Overlay::Prompt { .. } | Overlay::Type { .. } => "",
        Overlay::Signals { .. } => "j k choose  Enter send it  Esc back",
        Overlay::Disturb { .. } => "j k choose  Enter or a digit do it  D the last one again  Esc back",
        Overlay::Details { .. } => "j k scroll  Tab next process  c copy the command that starts it  Esc back",
        Overlay::Line { .. } => "j k scroll  c copy  Esc back",
        Overlay::Timeline { .. } => "j k choose  Enter the log at that moment  Esc back",
        Overlay::Traffic { .. } => "j k choose  Enter heads and bodies  o the log at that moment  c copy it  Esc back",
        Overlay::Exchange { id, .. } if scene.exchange(*id).is_some_and(|exchange| exchange.pipe.is_some()) => {
            "j k scroll  o the log at that moment  c copy the line  Esc back"
        }
        Overlay::Exchange { .. } => "j k scroll  o the log at that moment  c copy as curl  Esc back",
        Overlay::Alerts { .. } => "j k choose  Enter its line in the log  Esc back",
        Overlay::Steps { .. } => "j k choose  Enter do it now  . hold or go on  Esc back",
        Overlay::Expectations { .. } => "j k choose  Enter the line that decided it  Esc back",
        Overlay::OwnLog => "Esc back",
    })
}

/// What may follow the keys pressed so far.
fn which_key(scene: &Scene<'_>) -> Vec<Group> {
    let Found::Prefix(next) = scene.keymap.find(scene.app.context(), &scene.app.pending) else { return Vec::new() };
    let hint = |(key, action): (crate::tui::key::Key, Action)| Hint {
        key: key.to_string(),
        label: action.help().into(),
        short: action.name().into(),
        roomy: false,
        last: false,
    };
    vec![next.into_iter().map(hint).collect()]
}

fn groups(scene: &Scene<'_>) -> Vec<Group> {
    let context = scene.app.context();
    let hint = |action: Action, label: &str| {
        scene.keymap.key_of(context, action).map(|key| Hint { key, label: label.into(), short: label.into(), roomy: false, last: false })
    };
    let roomy = |hint: Option<Hint>| hint.map(|hint| Hint { roomy: true, ..hint });
    let last = |hint: Option<Hint>| hint.map(|hint| Hint { last: true, ..hint });
    let mut groups: Vec<Vec<Option<Hint>>> = match scene.app.focus {
        Pane::Logs => log_groups(scene, &hint),
        Pane::Events
        | Pane::Alerts
        | Pane::Happened
        | Pane::Expectations
        | Pane::Steps
        | Pane::Details
        | Pane::Chain
        | Pane::Note
        | Pane::Traffic
        | Pane::Said => {
            let open = match scene.app.focus {
                Pane::Details => None,
                Pane::Expectations => hint(Action::Open, "the line that decided it"),
                Pane::Steps => hint(Action::Open, "do it now"),
                _ => hint(Action::Open, "the log there"),
            };
            let moved = if scene.app.focus == Pane::Details { "scroll" } else { "next" };
            vec![vec![hint(Action::Down, moved), open], vec![hint(Action::FocusNext, "table")], vec![hint(Action::Palette, "palette")]]
        }
        Pane::Processes => {
            let mut first = process_hints(scene, &hint);
            if !scene.snapshot.rows.is_empty() {
                first.push(hint(Action::Details, "why"));
                first.push(roomy(hint(Action::Open, "its log")));
            }
            let second = vec![roomy(hint(Action::FocusNext, "to the log")), hint(Action::Find, "find"), hint(Action::FilterIn, "filter")];
            vec![first, second, vec![hint(Action::Palette, "palette")]]
        }
    };
    let keys = last(hint(Action::Help, "keys"));
    if scene.app.focus == Pane::Logs && !scene.app.log.follows() {
        let export = hint(Action::Export, "export").filter(|_| scene.abilities.export);
        groups.push(vec![export, keys]);
    } else {
        groups.push(vec![keys, roomy(hint(Action::Quit, "quit"))]);
    }
    groups.into_iter().map(|group| group.into_iter().flatten().collect::<Vec<_>>()).filter(|group: &Group| !group.is_empty()).collect()
}

/// What can be done with the process that the focused pane is about.
fn process_hints(scene: &Scene<'_>, hint: &dyn Fn(Action, &str) -> Option<Hint>) -> Vec<Option<Hint>> {
    if scene.past.is_some() {
        return time_hints(hint);
    }
    if !scene.abilities.live {
        return vec![hint(Action::PreviousEvent, "back in time")];
    }
    let Some(row) = scene.app.target(scene.snapshot).filter(|_| scene.abilities.live) else { return Vec::new() };
    let id = text::fit(row.id().as_str(), 16, scene.look.ellipsis()).into_owned();
    match row.state {
        ProcessState::Starting { .. } | ProcessState::Running | ProcessState::Ready | ProcessState::Unhealthy { .. } => {
            vec![hint(Action::Restart, &format!("restart {id}")), hint(Action::Stop, "stop it")]
        }
        ProcessState::Backoff { .. } => vec![hint(Action::Restart, &format!("restart {id}")), hint(Action::Stop, "stop it")],
        ProcessState::Pending { .. } => vec![hint(Action::Start, &format!("start {id} now")), hint(Action::Stop, "keep it down")],
        ProcessState::Stopping { .. } => vec![hint(Action::StopNow, &format!("kill {id} now"))],
        ProcessState::Stopped { .. }
        | ProcessState::Completed
        | ProcessState::Failed { .. }
        | ProcessState::GaveUp { .. }
        | ProcessState::Skipped { .. } => vec![hint(Action::Start, &format!("start {id}"))],
    }
}

/// The ways through time.
fn time_hints(hint: &dyn Fn(Action, &str) -> Option<Hint>) -> Vec<Option<Hint>> {
    vec![
        hint(Action::PreviousEvent, "earlier"),
        hint(Action::NextEvent, "later"),
        hint(Action::PreviousFailure, "failure before"),
        hint(Action::NextFailure, "after"),
        hint(Action::Now, "now"),
    ]
}

fn log_groups(scene: &Scene<'_>, hint: &dyn Fn(Action, &str) -> Option<Hint>) -> Vec<Vec<Option<Hint>>> {
    let log = &scene.app.log;
    let roomy = |hint: Option<Hint>| hint.map(|hint| Hint { roomy: true, ..hint });
    let table = vec![roomy(hint(Action::FocusNext, "table"))];
    let mut first = if log.scope == Scope::One || scene.past.is_some() { process_hints(scene, hint) } else { Vec::new() };
    if log.find.is_some() {
        first.extend([hint(Action::FindNext, "next match"), hint(Action::FindPrevious, "previous")]);
    }
    if scene.snapshot.alerts() > 0 {
        first.push(hint(Action::NextAlert, "next alert"));
    }
    if log.follows() {
        first.extend([hint(Action::Find, "find"), hint(Action::FilterIn, "filter")]);
        if !scene.facts.is_empty() {
            first.push(hint(Action::FirstFailure, "first failure"));
        }
        return vec![first, table, vec![hint(Action::Palette, "palette")]];
    }
    let row = scene.window.cursor.and_then(|i| scene.window.rows.get(i));
    if row.is_some_and(|row| !crate::logs::tokens(&query::text_of(&row.line)).is_empty()) || log.token.is_some() {
        first.push(hint(Action::NextToken, "same id"));
    }
    let folded = row.is_some_and(|row| !row.folded.is_empty());
    if folded {
        first.push(roomy(hint(Action::Open, "unfold")));
    }
    let copy = hint(Action::Copy, if folded { "copy block" } else { "copy line" });
    first.push(copy.map(|copy| Hint { short: "copy".into(), ..copy }));
    first.push(hint(Action::Bottom, "follow"));
    if scene.past.is_none() && !scene.abilities.live {
        first.push(roomy(hint(Action::NextEvent, "on in time")));
    }
    let failed = scene.snapshot.outcome.is_some() && scene.is_live();
    vec![first, table, vec![hint(Action::RerunTests, "rerun tests").filter(|_| failed)]]
}

/// What fits into `room` cells: first the roomy hints go, then long labels and wide gaps, then the rest from right to left.
fn fitting(groups: Vec<Group>, room: usize) -> (Vec<Group>, u16) {
    let cells = |groups: &[Group], gap: usize| {
        let hints: usize = groups.iter().flatten().map(|hint| text::width(&hint.key) + 1 + text::width(&hint.label)).sum();
        let within: usize = groups.iter().map(|group| 2 * group.len().saturating_sub(1)).sum();
        hints + within + gap * groups.len().saturating_sub(1)
    };
    if cells(&groups, 3) <= room {
        return (groups, 3);
    }
    let keep = |groups: Vec<Group>, keep: &dyn Fn(&Hint) -> bool| -> Vec<Group> {
        let kept = groups.into_iter().map(|group| group.into_iter().filter(|hint| keep(hint)).collect::<Vec<_>>());
        kept.filter(|group| !group.is_empty()).collect()
    };
    let mut groups = keep(groups, &|hint| !hint.roomy);
    if cells(&groups, 3) <= room {
        return (groups, 3);
    }
    for hint in groups.iter_mut().flatten() {
        hint.label.clone_from(&hint.short);
    }
    while cells(&groups, 2) > room {
        let Some(group) = groups.iter_mut().rev().find(|group| group.iter().any(|hint| !hint.last)) else { break };
        let Some(place) = group.iter().rposition(|hint| !hint.last) else { break };
        group.remove(place);
        groups.retain(|group| !group.is_empty());
    }
    (groups, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(specs: &[(&str, bool)]) -> Group {
        let hint = |(label, roomy): &(&str, bool)| Hint {
            key: "k".into(),
            label: (*label).into(),
            short: (*label).into(),
            roomy: *roomy,
            last: *label == "keys",
        };
        specs.iter().map(hint).collect()
    }

    fn shown(groups: &[Group], room: usize) -> String {
        let (groups, _) = fitting(groups.to_vec(), room);
        groups.iter().map(|group| group.iter().map(|h| h.label.as_str()).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn hints_go_from_right_to_left_and_the_help_last_of_all() {
        let groups = [
            hints(&[("restart upstream", false), ("its log", true)]),
            hints(&[("find", false)]),
            hints(&[("keys", false), ("quit", true)]),
        ];
        assert_eq!(shown(&groups, 80), "restart upstream its log | find | keys quit");
        assert_eq!(shown(&groups, 40), "restart upstream | find | keys");
        assert_eq!(shown(&groups, 30), "restart upstream | keys");
        assert_eq!(shown(&groups, 3), "keys");
    }
}
