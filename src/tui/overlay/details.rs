//! Everything about one process: why it is in its state, how it is started, what it did before.

use ratatui::style::Style;

use super::{
    draw::{Line, wrapped},
    shell::command,
};
use crate::{
    model::{ListenPort, ProbeOutcome, ProcessSnapshot, ProcessState, StartCause, human_duration},
    tui::{
        glyph::Glyph,
        lives::Life,
        pane::line::tidied_text as tidied,
        pane::state::state_text,
        scene::Scene,
        text,
        theme::Role,
        units::{self, counted, processes},
    },
};

/// Cells of the labels.
const LABEL: usize = 13;
/// So many probes are listed.
const PROBES: usize = 5;
/// So many generations stand side by side.
const GENERATIONS: usize = 8;
/// From this width on the table of generations has all its columns.
const WIDE: usize = 95;
/// Said of a process that is left alone.
const HELD: &str = "for a debugger: no probe, deadline or policy acts on it until it is released";
/// Samples of a sparkline.
const SPARKS: usize = 40;

/// The details of the selected process.
pub(super) fn lines(scene: &Scene<'_>, width: u16) -> Vec<Line> {
    let Some(row) = scene.app.selected(scene.snapshot) else {
        return vec![vec![("no process is selected".into(), scene.look.style(Role::Dim))]];
    };
    let mut page = Page { scene, width: usize::from(width.saturating_sub(2)).max(LABEL + 10), lines: Vec::new() };
    page.state(row);
    page.now(row);
    page.generations(row);
    page.last_words(row);
    page.start(row);
    page.place(row);
    page.health(row);
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

    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    /// What it is, and why.
    fn state(&mut self, row: &ProcessSnapshot) {
        let look = self.scene.look;
        let told = state_text(row, self.scene.now, false, look);
        self.put_styled("state", &told.text(look), told.style);
        if row.held {
            self.put_styled("held", HELD, look.style(Role::Warn));
        }
        if let Some((event, told)) = self.scene.events.newest_of(row.id()) {
            self.put("since", &format!("{}  {}", event.at.seconds(), told.event_text()));
        }
        if let Some(trouble) = row.trouble.as_ref().filter(|_| matches!(row.state, ProcessState::Starting { .. })) {
            self.put_styled("not yet", trouble, look.style(Role::Warn));
        }
        if let ProcessState::GaveUp { times: 2.., .. } = row.state {
            self.put("cause", if row.same_cause { "the same each time" } else { "not the same each time" });
        }
        if let Some(failure) = &row.failure {
            self.put_styled("why", &failure.to_string(), look.style(Role::Bad));
        }
        let ended = row.ended_leaks.iter().map(|ended| (&ended.leak, format!(" ({})", ended.word())));
        for (leak, fate) in row.leaks.iter().map(|leak| (leak, String::new())).chain(ended) {
            let pid = leak.pid.map(|pid| format!("pid {pid} ")).unwrap_or_default();
            let port = leak.port.map(|port| format!("port {port} ")).unwrap_or_default();
            self.put_styled("left behind", &format!("{pid}{port}{}{fate}", leak.command), look.style(Role::Bad));
        }
        let kind = row.info.kind.as_ref().map(|kind| format!(", kind {kind}")).unwrap_or_default();
        let stand_in = if row.info.stand_in { ", a built-in stand-in for the real program" } else { "" };
        self.put("role", &format!("{}{kind}{stand_in}", row.info.role.word()));
    }

    /// What lives of it, what it uses and says.
    fn now(&mut self, row: &ProcessSnapshot) {
        if let Some(pid) = row.pid {
            let up = row.up(self.scene.now).map(|up| format!(", up {}", units::uptime(up, true))).unwrap_or_default();
            let held = self.scene.snapshot.run.as_ref().map(|run| run.containment.word());
            let held = held.map(|held| format!(", held by {held}")).unwrap_or_default();
            self.put("pid", &format!("{pid}, generation {}{up}{held}", row.generation));
        }
        for (i, one) in self.scene.kin.iter().enumerate().skip(1) {
            let branch = if one.depth > 1 { "  ".repeat(one.depth - 1) } else { String::new() };
            self.put(if i == 1 { "its tree" } else { "" }, &format!("{branch}{} {}", one.pid, one.name));
        }
        if let Some(sample) = &row.sample {
            let (cpu, memory) = (units::cpu(sample.cpu_percent), units::memory(sample.memory));
            self.put("uses", &format!("{cpu} % of a core, {memory}, {}", processes(u64::from(sample.processes))));
        }
        let lines = self.scene.past.map_or_else(|| self.scene.meter.lines(row.id()), |past| past.lines);
        let alerts = if row.alerts == 0 { "no alerts".to_owned() } else { counted(row.alerts, "alert") };
        let sparks = sparks(self.scene, row, SPARKS);
        let sparks = if sparks.is_empty() { sparks } else { format!("   {sparks}  lines a second") };
        self.put("said", &format!("{}, {alerts}{sparks}", counted(lines, "line")));
        let alerts = alert_sparks(self.scene, row, SPARKS);
        if !alerts.is_empty() {
            self.put_styled("alerted", &format!("{alerts}  alerts a second"), self.scene.look.style(Role::Warn));
        }
    }

    /// Its generations side by side, the newest first.
    fn generations(&mut self, row: &ProcessSnapshot) {
        let lives = self.scene.events.lives(row.id());
        if lives.is_empty() {
            return;
        }
        self.gap();
        let dim = self.scene.look.style(Role::Dim);
        let wide = self.width >= WIDE;
        let head = if wide {
            format!("{:>3} {:>9} {:>8} {:>8}  {:<27}  END", "GEN", "STARTED", "READY", "LIVED", "BECAUSE")
        } else {
            format!("{:>3} {:>9} {:>8}  END", "GEN", "STARTED", "LIVED")
        };
        self.put_styled("generations", &head, dim);
        for life in lives.iter().rev().take(GENERATIONS) {
            let (text, style) = self.life(life, wide);
            let text = text::fit(&text, self.width - LABEL, self.scene.look.ellipsis()).into_owned();
            self.lines.push(vec![(" ".repeat(LABEL), dim), (text, style)]);
        }
        let of = row.info.max_restarts.map(|max| format!(" of {max}")).unwrap_or_default();
        if row.restarts > 0 {
            self.put("restarts", &format!("{}{of} by policy", row.restarts));
        }
        if let Some(stop) = &row.stop {
            let kill = if stop.escalated_to_kill { ", and KILL was needed" } else { "" };
            let first = stop.signal.map_or_else(|| "its own command".to_owned(), |signal| signal.to_string());
            self.put("last stop", &format!("{first} and {}{kill}", human_duration(stop.took)));
        }
    }

    fn life(&self, life: &Life, wide: bool) -> (String, Style) {
        let look = self.scene.look;
        let ready = life.ready.as_ref().map_or_else(|| "-".into(), |(after, _)| human_duration(*after));
        let because = match &life.cause {
            StartCause::Run => "the run".to_owned(),
            StartCause::Asked { by } => format!("asked by {by}"),
            StartCause::Policy { attempt, of, after_ms } => {
                let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
                format!("restart {attempt}{of} after {}", human_duration(std::time::Duration::from_millis(*after_ms)))
            }
            StartCause::Rerun => "a rerun".into(),
        };
        let (lived, end, style) = match &life.end {
            None => {
                let lived = human_duration(self.scene.now.since(life.started));
                (lived, format!("lives, pid {}", life.pid), look.style(Role::Plain))
            }
            Some(end) => {
                let how = match (&end.by, wide) {
                    _ if end.asked => ", asked".to_owned(),
                    (Some(by), true) => format!(", by {by}"),
                    (None, true) => ", by itself".to_owned(),
                    (_, false) => String::new(),
                };
                let same = if end.same_cause { ", same cause" } else { "" };
                let style = if end.asked || end.exit == crate::model::Exit::Code(0) { Role::Plain } else { Role::Bad };
                (human_duration(end.up), format!("{}{how}{same}", end.exit), look.style(style))
            }
        };
        let (generation, started) = (life.generation, life.started.seconds());
        let text = if wide {
            format!("{generation:>3} {started:>9} {ready:>8} {lived:>8}  {because:<27}  {end}")
        } else {
            format!("{generation:>3} {started:>9} {lived:>8}  {end}")
        };
        (text, style)
    }

    /// What it said before it ended last.
    fn last_words(&mut self, row: &ProcessSnapshot) {
        let Some(exit) = row.exits.last().filter(|exit| !exit.asked && !exit.tail.is_empty()) else { return };
        self.gap();
        let label = format!("gen {} said", exit.generation);
        for (i, line) in exit.tail.iter().enumerate() {
            let style = self.scene.look.style(if i + 1 == exit.tail.len() { Role::Plain } else { Role::Dim });
            self.put_styled(if i == 0 { &label } else { "" }, &tidied(line, self.scene.look), style);
        }
    }

    /// How it is started and set up.
    fn start(&mut self, row: &ProcessSnapshot) {
        self.gap();
        // One line that a shell takes as it stands.
        self.put("start alone", &command(row));
        for (label, text) in &row.info.settings {
            self.put(label, text);
        }
        let ports: Vec<_> = row.info.listens.iter().map(listened).collect();
        self.put("listens on", &ports.join(", "));
        if let Some(port) = row.captured_port {
            self.put("said port", &port.to_string());
        }
    }

    /// On whom it depends, and who on it, each with how they stand.
    fn place(&mut self, row: &ProcessSnapshot) {
        self.gap();
        let snapshot = self.scene.snapshot;
        let of_name = |name: &str| snapshot.rows.iter().find(|other| other.id().as_str() == name);
        for (i, wait) in row.info.waits_for.iter().enumerate() {
            let now = wait.split(' ').next().and_then(of_name).map(|other| self.standing(other)).unwrap_or_default();
            self.put(if i == 0 { "waits for" } else { "" }, &format!("{wait}{now}"));
        }
        let id = row.id().as_str();
        let needed = snapshot.rows.iter().filter(|other| other.info.waits_for.iter().any(|wait| wait.split(' ').next() == Some(id)));
        for (i, other) in needed.enumerate() {
            self.put(if i == 0 { "needed by" } else { "" }, &format!("{}{}", other.id(), self.standing(other)));
        }
    }

    fn standing(&self, row: &ProcessSnapshot) -> String {
        format!("   {}", state_text(row, self.scene.now, true, self.scene.look).text(self.scene.look))
    }

    fn health(&mut self, row: &ProcessSnapshot) {
        if !row.info.has_health {
            return;
        }
        self.gap();
        let look = self.scene.look;
        self.put("last probes", row.health.word());
        for probe in row.probes.iter().rev().take(PROBES) {
            let (text, style) = match &probe.outcome {
                ProbeOutcome::Ok => ("well".to_owned(), look.style(Role::Good)),
                ProbeOutcome::Degraded { why } => (why.clone(), look.style(Role::Warn)),
                ProbeOutcome::Failed { why, .. } => (why.clone(), look.style(Role::Bad)),
            };
            self.put_styled("", &format!("{:>9}  {:>7}  {text}", probe.at.seconds(), units::latency(probe.took)), style);
        }
    }
}

/// Its lines a second of late, as bars; empty before there is something to compare.
pub(crate) fn sparks(scene: &Scene<'_>, row: &ProcessSnapshot, samples: usize) -> String {
    bars(scene, &scene.meter.recent(row.id(), samples).map(|sample| sample.lines).collect::<Vec<_>>())
}

/// Its alerts a second of late, as bars; empty where there is none.
pub(crate) fn alert_sparks(scene: &Scene<'_>, row: &ProcessSnapshot, samples: usize) -> String {
    bars(scene, &scene.meter.recent(row.id(), samples).map(|sample| sample.alerts).collect::<Vec<_>>())
}

fn bars(scene: &Scene<'_>, recent: &[u64]) -> String {
    if scene.past.is_some() {
        return String::new();
    }
    let most = recent.iter().copied().max().unwrap_or(0);
    if most == 0 || recent.len() < 3 {
        return String::new();
    }
    let glyphs = scene.look.glyphs;
    recent.iter().map(|rate| glyphs.spark(*rate, most)).collect::<String>().replace(' ', glyphs.get(Glyph::None))
}

/// `20001 (upstream)`, and where it really listens if a tap stands in front of it.
fn listened(listen: &ListenPort) -> String {
    match listen.front {
        Some(front) => format!("{front} ({}), the tap in front of {}", listen.name, listen.port),
        None => format!("{} ({})", listen.port, listen.name),
    }
}
