//! The keys, from the live keymap.

use super::Line;
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
    for action in Action::ALL.iter().filter(|action| action.group() == group) {
        let keys = scene.keymap.keys_of(*action);
        match action.process_row() {
            // Nine rows that say the same become one.
            Some(0) => {
                let last = scene.keymap.keys_of(Action::Process9);
                rows.push((format!("{}..{}", keys.join(" "), last.join(" ")), "choose process 1 to 9"));
            }
            Some(_) => {}
            None if keys.is_empty() => rows.push(("(no key)".into(), action.help())),
            None => rows.push((keys.join(" "), action.help())),
        }
    }
    rows
}
