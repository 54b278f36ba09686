//! The keys, from the live keymap.

use super::draw::Line;
use crate::tui::{
    action::{Action, Group},
    scene::Scene,
    text,
    theme::Role,
};

/// All keys with what they do, or those that hold `typed`.
pub(super) fn lines(scene: &Scene<'_>, typed: &str) -> Vec<Line> {
    let look = scene.look;
    let typed = typed.to_lowercase();
    let mut lines: Vec<Line> = Vec::new();
    for group in Group::ALL {
        let rows: Vec<(String, &str)> = rows(scene, group)
            .into_iter()
            .filter(|(keys, help)| typed.is_empty() || help.to_lowercase().contains(&typed) || keys.to_lowercase().contains(&typed))
            .collect();
        if rows.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.push(vec![(group.title().into(), look.style(Role::Strong))]);
        for (keys, help) in rows {
            let pad = 16usize.saturating_sub(text::width(&keys)).max(2);
            lines.push(vec![(format!("  {keys}"), look.style(Role::Key)), (format!("{:pad$}{help}", ""), look.style(Role::Plain))]);
        }
    }
    if lines.is_empty() {
        lines.push(vec![("no key does that; : finds actions by name".into(), look.style(Role::Dim))]);
    }
    lines
}

fn rows(scene: &Scene<'_>, group: Group) -> Vec<(String, &'static str)> {
    let mut rows = Vec::new();
    for action in Action::all().filter(|action| action.group() == group) {
        let keys = scene.keymap.keys_of(action).join(" ");
        match action {
            // Nine rows that say the same become one.
            Action::Process(1) => rows.push((format!("{keys}..{}", scene.keymap.keys_of(Action::Process(9)).join(" ")), action.help())),
            Action::Process(_) => {}
            _ if keys.is_empty() => rows.push(("(no key)".into(), action.help())),
            _ => rows.push((keys, action.help())),
        }
    }
    rows
}
