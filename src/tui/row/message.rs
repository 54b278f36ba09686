//! The row for notices: the reply to a key, else what the user should know now.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use super::status::{badge, first_failed_test};
use crate::{
    model::{NoticeLevel, Phase, ProcessState, Verdict},
    tui::{action::Action, app::Leaving, keymap::Context, scene::Scene, text::Pen, theme::Role, units::counted},
};

/// Notices of the supervisor stand so long.
const NOTICE: Duration = Duration::from_secs(15);

/// Whether a reply to a key is to be shown, and thus takes the hints' row where there is no other.
pub(crate) fn replies(scene: &Scene<'_>) -> bool {
    scene.app.toast.is_some() || scene.app.leaving > Leaving::No
}

/// Draws the row.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.gap(1);
    if let Some(toast) = &scene.app.toast {
        let role = if toast.bad { Role::Warn } else { Role::Plain };
        pen.fitted(&toast.text, look.ellipsis(), look.style(role));
        return;
    }
    if let Some((word, role, text)) = standing(scene) {
        badge(&mut pen, word, look.style(role), look);
        pen.gap(1).fitted(&text, look.ellipsis(), look.style(Role::Plain));
        return;
    }
    if let Some((at, level, text)) = &scene.snapshot.notice
        && scene.now.since(*at) < NOTICE
    {
        let role = if *level == NoticeLevel::Info { Role::Plain } else { Role::Warn };
        pen.fitted(text, look.ellipsis(), look.style(role));
    }
}

/// Badge and sentence for what stands until something changes it.
fn standing(scene: &Scene<'_>) -> Option<(&'static str, Role, String)> {
    let snapshot = scene.snapshot;
    if snapshot.phase == Phase::Stopping || scene.app.leaving > Leaving::No {
        return Some(("STOPPING", Role::BadgeStopped, stopping(scene)));
    }
    let outcome = snapshot.outcome.as_ref()?;
    let stay = if snapshot.count(ProcessState::is_alive) > 0 { " Services stay up." } else { "" };
    match outcome.verdict {
        Verdict::Passed => Some(("PASSED", Role::BadgePassed, format!("{}.{stay}", capital(&outcome.reason)))),
        Verdict::Failed => {
            let test = first_failed_test(snapshot).map(|test| test.split(" at ").next().unwrap_or_default().to_owned());
            let here = scene.window.cursor.and_then(|i| scene.window.rows.get(i)).map(|row| row.line.seq);
            let parked = here.is_some() && here == scene.facts.first().map(|fact| fact.seq);
            let parked = if parked { " The view is parked at the first abnormal line." } else { "" };
            let (word, what) = match test {
                Some(test) => ("TEST FAILED", test),
                None => ("FAILED", outcome.reason.clone()),
            };
            Some((word, Role::BadgeFailed, format!("{what}.{stay}{parked}")))
        }
        Verdict::Leaked => Some(("LEAKED", Role::BadgeFailed, outcome.reason.clone())),
        Verdict::TimedOut | Verdict::Error | Verdict::Stopped => None,
    }
}

fn stopping(scene: &Scene<'_>) -> String {
    let alive: Vec<_> = scene.snapshot.rows.iter().filter(|row| row.state.is_alive()).map(|row| row.id().as_str()).collect();
    let key = scene.keymap.key_of(Context::Everywhere, Action::Interrupt).unwrap_or_default();
    let then = match scene.app.leaving {
        Leaving::No | Leaving::Stopping => "kills them now",
        Leaving::Killing => "leaves them to the guardian",
    };
    match alive.len() {
        0 => "looking for anything that is left".into(),
        n @ 1..=4 => {
            format!("{} to end: {}.   {key} {then}", counted(n as u64, "process").replace("processs", "processes"), alive.join(", "))
        }
        n => format!("{n} processes to end.   {key} {then}"),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
