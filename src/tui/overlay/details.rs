//! Everything about one process: why it is in its state, how it is started, what it did before.

use ratatui::style::Style;

use super::draw::{Line, wrapped};
use crate::{
    model::{ProbeOutcome, ProcessSnapshot, human_duration},
    tui::{
        pane::state::state_text,
        scene::Scene,
        theme::Role,
        units::{self, processes},
    },
};

const LABEL: usize = 13;

/// The details of the selected process.
pub(super) fn lines(scene: &Scene<'_>, width: u16) -> Vec<Line> {
    let Some(row) = scene.app.selected(scene.snapshot) else { return Vec::new() };
    let mut page = Page { scene, width: usize::from(width.saturating_sub(2)).max(LABEL + 10), lines: Vec::new() };
    page.state(row);
    page.start(row);
    page.place(row);
    page.health(row);
    page.history(row);
    page.lines
}

struct Page<'s, 'a> {
    scene: &'s Scene<'a>,
    width: usize,
    lines: Vec<Line>,
}

impl Page<'_, '_> {
    fn put(&mut self, label: &str, text: &str) {
        self.put_styled(label, text, self.scene.look.style(Role::Plain));
    }

    /// A label and a text, which goes on below itself.
    fn put_styled(&mut self, label: &str, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        let dim = self.scene.look.style(Role::Dim);
        for (i, mut part) in wrapped(text, self.width - LABEL, style).into_iter().enumerate() {
            let head = if i == 0 { label } else { "" };
            part.insert(0, (format!("{head:<LABEL$}"), dim));
            self.lines.push(part);
        }
    }

    fn state(&mut self, row: &ProcessSnapshot) {
        let told = state_text(row, self.scene.now, false, self.scene.look);
        let text = told.text(self.scene.look);
        self.put_styled("state", &text, told.style);
        if let Some(failure) = &row.failure {
            self.put_styled("why", &failure.to_string(), self.scene.look.style(Role::Bad));
        }
        for leak in &row.leaks {
            let pid = leak.pid.map(|pid| format!("pid {pid} ")).unwrap_or_default();
            let port = leak.port.map(|port| format!("port {port} ")).unwrap_or_default();
            self.put_styled("left behind", &format!("{pid}{port}{}", leak.command), self.scene.look.style(Role::Bad));
        }
        let kind = row.info.kind.as_ref().map(|kind| format!(", kind {kind}")).unwrap_or_default();
        let stand_in = if row.info.stand_in { ", a built-in stand-in for the real program" } else { "" };
        self.put("role", &format!("{}{kind}{stand_in}", row.info.role.word()));
        if let Some(pid) = row.pid {
            let up = row.up(self.scene.now).map(|up| format!(", up {}", units::uptime(up, true))).unwrap_or_default();
            self.put("pid", &format!("{pid}, generation {}{up}", row.generation));
        }
        if let Some(sample) = &row.sample {
            let text = format!(
                "{} of a core, {}, {}",
                format_args!("{} %", units::cpu(sample.cpu_percent)),
                units::memory(sample.memory),
                processes(u64::from(sample.processes))
            );
            self.put("uses", &text);
        }
    }

    fn start(&mut self, row: &ProcessSnapshot) {
        self.lines.push(Vec::new());
        // One line that a shell takes as it stands.
        self.put(
            "command",
            &format!("cd {} && {}", quoted(&row.info.cwd), row.info.argv.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(" ")),
        );
        let ports: Vec<_> = row.info.listens.iter().map(|listen| format!("{} ({})", listen.port, listen.name)).collect();
        self.put("listens on", &ports.join(", "));
        if let Some(port) = row.captured_port {
            self.put("said port", &port.to_string());
        }
        if let Some(run) = &self.scene.snapshot.run {
            let how = format!("{:?}", run.containment).to_lowercase();
            self.put("held by", &how);
        }
    }

    fn place(&mut self, row: &ProcessSnapshot) {
        self.put("waits for", &row.info.waits_for.join(", "));
        let id = row.id().as_str();
        let needed =
            self.scene.snapshot.rows.iter().filter(|other| other.info.waits_for.iter().any(|wait| wait.split(' ').next() == Some(id)));
        self.put("needed by", &needed.map(|other| other.id().to_string()).collect::<Vec<_>>().join(", "));
    }

    fn health(&mut self, row: &ProcessSnapshot) {
        if !row.info.has_health {
            return;
        }
        self.lines.push(Vec::new());
        self.put("health", row.health.word());
        for probe in row.probes.iter().rev().take(6) {
            let look = self.scene.look;
            let (text, style) = match &probe.outcome {
                ProbeOutcome::Ok => ("well".to_owned(), look.style(Role::Good)),
                ProbeOutcome::Degraded { why } => (why.clone(), look.style(Role::Warn)),
                ProbeOutcome::Failed { why, .. } => (why.clone(), look.style(Role::Bad)),
            };
            self.put_styled("", &format!("{:>9}  {:>7}  {text}", probe.at.seconds(), units::latency(probe.took)), style);
        }
    }

    fn history(&mut self, row: &ProcessSnapshot) {
        if let Some(after) = row.ready_after {
            self.put("ready", &format!("after {}", human_duration(after)));
        }
        let of = row.info.max_restarts.map(|max| format!(" of {max}")).unwrap_or_default();
        if row.restarts > 0 {
            self.put("restarts", &format!("{}{of} by policy", row.restarts));
        }
        if let Some(stop) = &row.stop {
            let kill = if stop.escalated_to_kill { ", and KILL was needed" } else { "" };
            let first = stop.signal.map_or_else(|| "its stop command".to_owned(), |signal| signal.to_string());
            self.put("last stop", &format!("{first} and {}{kill}", human_duration(stop.took)));
        }
        if row.exits.is_empty() {
            return;
        }
        self.lines.push(Vec::new());
        for exit in row.exits.iter().rev().take(5) {
            let asked = if exit.asked { ", asked" } else { "" };
            self.put("ended", &format!("{:>9}  generation {}  {}{asked}", exit.at.seconds(), exit.generation, exit.exit));
            for line in &exit.tail {
                self.put_styled("", &format!("  {line}"), self.scene.look.style(Role::Dim));
            }
        }
    }
}

/// A word that a shell reads as one.
fn quoted(word: &str) -> String {
    let safe = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b));
    if safe { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("--port=20001"), "--port=20001");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
