//! The row for notices: the reply to a key, else what the user should know now.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::status::{badge, first_failed_test};
use crate::{
    model::{NoticeLevel, Phase, ProcessState, Verdict},
    tui::{
        action::Action,
        app::Leaving,
        keymap::Context,
        look::Look,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
        units::processes,
    },
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
    if let Some(toast) = &scene.app.toast {
        let role = if toast.bad { Role::Warn } else { Role::Plain };
        reply(&toast.text, look.style(role), area, buf, look);
        return;
    }
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.gap(1);
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

/// Draws a reply; one that is longer than the row takes the row above, too, since it is read once and gone.
fn reply(reply: &str, style: Style, area: Rect, buf: &mut Buffer, look: &Look) {
    let room = usize::from(area.width.saturating_sub(1));
    let mut rest = reply;
    if text::width(reply) > room && area.y > 1 {
        let first = text::fit(reply, room + 1, "");
        let cut = first.rfind(' ').filter(|cut| *cut > 0 && reply.is_char_boundary(*cut)).unwrap_or(0);
        if cut > 0 {
            let above = Rect { y: area.y - 1, ..area };
            Pen::new(buf, area.x, above.y, area.width).fill_to(area.width, " ", Style::reset());
            Pen::new(buf, area.x, above.y, area.width).gap(1).text(reply[..cut].trim_end(), style);
            rest = reply[cut..].trim_start();
        }
    }
    Pen::new(buf, area.x, area.y, area.width).gap(1).fitted(rest, look.ellipsis(), style);
}

/// Badge and sentence for what stands until something changes it.
fn standing(scene: &Scene<'_>) -> Option<(&'static str, Role, String)> {
    let snapshot = scene.snapshot;
    if let Some(past) = scene.past {
        let told = scene.events.last().map_or_else(String::new, |(_, told)| {
            let who = told.process.as_ref().map(|process| format!("{process} ")).unwrap_or_default();
            format!("{who}{}", told.event_text())
        });
        return Some(("PAST", Role::BadgeReplay, format!("{}   {told}", past.at.seconds())));
    }
    if snapshot.phase == Phase::Stopping || scene.app.leaving > Leaving::No {
        return Some(("STOPPING", Role::BadgeStopped, stopping(scene)));
    }
    let outcome = snapshot.outcome.as_ref()?;
    let stay = if scene.is_live() && snapshot.count(ProcessState::is_alive) > 0 { " Services stay up." } else { "" };
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
            format!("{} to end: {}.   {key} {then}", processes(n as u64), alive.join(", "))
        }
        n => format!("{n} processes to end.   {key} {then}"),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
