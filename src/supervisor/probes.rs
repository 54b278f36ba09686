//! Tasks that ask: readiness until it is there, health for as long as a generation lives.

use std::{io, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{
    handle::Inquiry,
    launch,
    machine::{Input, ReadyReport},
    runtime::{News, Runtime},
    stdin::Talk,
    suspend::Patience,
    wanted::panic_if_a_test_wants_it,
};
use crate::{
    aside::aside,
    health::{Answer, ExecQuestion, Question, StdioQuestion, ask},
    model::{At, Generation, HealthSpec, Probe, ProbeOutcome, ProbeRecord, ProcessId, ProcessSpec, ReadySpec, RunClock, StepAction},
    process::sockets,
};

/// What became ready must still be alive this much later: some print their ready line before they fail to bind.
const ALIVE_LATER: Duration = Duration::from_millis(100);
/// What is met by a readiness probe that would be the first to speak in a session of others.
const UNSPOKEN_TO: &str = "no step has begun its session by a line, and a probe must not speak first in it";
/// The longest a single readiness attempt takes.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Where a task reports to, and for whom.
#[derive(Clone)]
struct Reporter {
    news: mpsc::UnboundedSender<News>,
    clock: RunClock,
    process: ProcessId,
    generation: Generation,
    pid: Option<u32>,
    patience: Patience,
}

impl Reporter {
    /// Asks once. What a suspension of the run has come between does not count: it is asked again.
    async fn ask(&mut self, question: &Question, timeout: Duration, degraded_after: Option<Duration>) -> Answer {
        loop {
            let before = self.patience.times().await;
            let answer = ask(question, timeout, degraded_after).await;
            if self.patience.times().await == before {
                return answer;
            }
        }
    }

    fn ready(&self, report: ReadyReport) {
        let (process, generation) = (self.process.clone(), self.generation);
        let _ = self.news.send(News::Input(Input::Ready { process, generation, report }));
    }
}

impl Runtime {
    fn reporter(&self, process: &ProcessId, generation: Generation) -> Reporter {
        let pid = self.snapshot().row(process.as_str()).and_then(|row| row.pid);
        Reporter {
            news: self.news.clone(),
            clock: self.parts.clock,
            process: process.clone(),
            generation,
            pid,
            patience: self.suspension.patience(),
        }
    }

    /// What `probe` asks of this generation of `spec`, or why it cannot be asked.
    fn question(&self, spec: &ProcessSpec, probe: &Probe, degraded: &[u16]) -> Result<Question, String> {
        let ports = self.ports();
        match probe {
            Probe::Exec { argv } => {
                let command = launch::command_like(spec, argv, &self.parts.info.run, &ports).map_err(|e| e.to_string())?;
                Ok(Question::Exec(ExecQuestion { commands: self.commands.clone(), command }))
            }
            Probe::Stdio { send, expect } => {
                let talk = self.inputs.get(&spec.id).ok_or("its stdin is not open")?;
                Ok(Question::Stdio(StdioQuestion { exchange: Arc::new(talk.clone()), send: send.clone(), expect: expect.clone() }))
            }
            probe => {
                let question = Question::of(probe, degraded, |id| ports.get(id).copied()).map_err(|e| e.to_string())?;
                question.ok_or_else(|| format!("nothing can be asked by `{}`", probe.word()))
            }
        }
    }

    /// When `probe` may ask for the first time; whether anybody wants to know has been decided.
    fn occasion(&self, spec: &ProcessSpec, probe: &Probe) -> Occasion {
        let session = match probe {
            Probe::Stdio { send, .. } if is_message(send) && self.is_spoken_to(&spec.id) => self.inputs.get(&spec.id).cloned(),
            _ => None,
        };
        Occasion { session }
    }

    /// Whether a step that writes to the stdin of `process` may still come. Whoever starts after the last of them (by its
    /// restart policy, say) shares its session with nobody.
    fn is_spoken_to(&self, process: &ProcessId) -> bool {
        let sends = |action: &StepAction| matches!(action, StepAction::Send { process: to, .. } if to == process);
        let to_come = self.parts.spec.steps.iter().zip(&self.snapshot().steps).filter(|(_, told)| !told.stage.is_over());
        to_come.flat_map(|(step, _)| &step.actions).any(sends)
    }

    /// Asks until it is ready; a log line reports by itself.
    pub(super) fn watch_readiness(&mut self, process: &ProcessId, generation: Generation) {
        let Some(spec) = self.parts.spec.processes.get(process).cloned() else { return };
        let reporter = self.reporter(process, generation);
        let task = match &spec.ready.probe {
            Some(Probe::Log { .. }) => return,
            None => tokio::spawn(confirm(reporter.clone(), spec.clone(), reporter.clock.now(), None)),
            Some(probe) => match self.question(&spec, probe, &[]) {
                Ok(question) => tokio::spawn(ask_until_ready(reporter, spec.clone(), question, self.occasion(&spec, probe))),
                Err(why) => return reporter.ready(ReadyReport::NotYet { why }),
            },
        };
        self.probes.entry(process.clone()).or_default().push(task.abort_handle());
    }

    /// A line of its output matched `ready.log`.
    pub(super) fn log_says_ready(&mut self, process: &ProcessId, generation: Generation, port: Option<u16>, line: &str) {
        let Some(spec) = self.parts.spec.processes.get(process).cloned() else { return };
        tracing::debug!(%process, generation, line, "the ready line");
        let reporter = self.reporter(process, generation);
        let answered = reporter.clock.now();
        let task = tokio::spawn(confirm(reporter, spec, answered, port));
        self.probes.entry(process.clone()).or_default().push(task.abort_handle());
    }

    /// Asks how it is, for as long as this generation lives.
    pub(super) fn watch_health(&mut self, process: &ProcessId, generation: Generation) {
        let Some(spec) = self.parts.spec.processes.get(process).cloned() else { return };
        let Some(health) = spec.health.clone() else { return };
        let question = match self.question(&spec, &health.probe, &health.degraded) {
            Ok(question) => question,
            Err(why) => return self.warn(format!("the health of {process} cannot be asked for: {why}")),
        };
        let occasion = self.occasion(&spec, &health.probe);
        let task = tokio::spawn(watch(self.reporter(process, generation), health, question, occasion));
        self.probes.entry(process.clone()).or_default().push(task.abort_handle());
    }

    /// Asks once, because somebody wants to know now.
    pub(super) fn ask_now(&mut self, inquiry: Inquiry, ticket: u64) {
        let Inquiry { process, probe, timeout, reply } = inquiry;
        let question = self.parts.spec.processes.get(&process).ok_or_else(|| format!("there is no process {process}")).and_then(|spec| {
            if let Some(probe) = &probe {
                return Ok((self.question(spec, probe, &[])?, timeout, None));
            }
            let health = spec.health.as_ref().ok_or_else(|| format!("{process} has no health check"))?;
            Ok((self.question(spec, &health.probe, &health.degraded)?, health.timeout, health.degraded_after))
        });
        match question {
            Ok((question, timeout, degraded_after)) => {
                tokio::spawn(async move { reply.send(Ok(ask(&question, timeout, degraded_after).await)) });
            }
            Err(why) => {
                let _ = reply.send(Err(why));
            }
        }
        self.resolve(ticket, Ok(()));
    }

    /// Says what the last attempt of `process` at becoming ready has met.
    pub(super) fn tell_trouble(&mut self, process: &ProcessId, why: oneshot::Sender<Option<String>>, ticket: u64) {
        let _ = why.send(self.machine.last_trouble(process).map(str::to_owned));
        self.resolve(ticket, Ok(()));
    }

    /// No more questions to `process`.
    pub(super) fn end_probes(&mut self, process: &ProcessId) {
        self.probes.remove(process).into_iter().flatten().for_each(|task| task.abort());
    }
}

async fn ask_until_ready(mut reporter: Reporter, spec: Arc<ProcessSpec>, question: Question, mut occasion: Occasion) {
    let ReadySpec { interval, .. } = spec.ready;
    if occasion.is_yet_to_come() {
        reporter.ready(ReadyReport::NotYet { why: UNSPOKEN_TO.into() });
    }
    occasion.wait(&mut reporter.patience, interval).await;
    // The first attempts come fast: most servers are there within a few milliseconds.
    let mut pause = Duration::from_millis(5).min(interval);
    loop {
        match reporter.ask(&question, ATTEMPT, None).await.outcome {
            ProbeOutcome::Ok | ProbeOutcome::Degraded { .. } => break,
            ProbeOutcome::Failed { why, .. } => reporter.ready(ReadyReport::NotYet { why }),
        }
        reporter.patience.sleep(pause).await;
        pause = (pause * 2).min(interval);
    }
    let answered = reporter.clock.now();
    confirm(reporter, spec, answered, None).await;
}

/// It has answered: is it still alive a moment later, and is it itself that listens, on every port that is its own?
async fn confirm(mut reporter: Reporter, spec: Arc<ProcessSpec>, answered: At, port: Option<u16>) {
    reporter.patience.sleep(ALIVE_LATER).await;
    let mut ports: Vec<u16> = spec.listens.iter().map(|listen| listen.port).collect();
    if ports.is_empty() {
        ports.extend(port);
    }
    if ports.is_empty() {
        let evidence = if spec.ready.probe.is_some() { "its readiness probe" } else { "it runs" };
        return reporter.ready(ReadyReport::Yes { answered, evidence: evidence.into(), port: None });
    }
    // What says that it is ready before it listens is waited for until its time is over.
    let mut waited = false;
    loop {
        match who_listens(ports.clone(), reporter.pid.unwrap_or(0)).await {
            Listening::Own { evidence } => {
                let answered = if waited { reporter.clock.now() } else { answered };
                return reporter.ready(ReadyReport::Yes { answered, evidence, port });
            }
            Listening::Foreign { pid, port } => return reporter.ready(ReadyReport::Foreign { pid, port }),
            Listening::Nobody { port } => reporter.ready(ReadyReport::NotYet { why: format!("nobody listens on port {port}") }),
            Listening::Unknown { why } => reporter.ready(ReadyReport::NotYet { why: format!("who listens is not known now: {why}") }),
        }
        waited = true;
        reporter.patience.sleep(spec.ready.interval).await;
    }
}

/// Whose the sockets on a process's ports are.
enum Listening {
    /// All its own.
    Own { evidence: String },
    /// One is somebody else's.
    Foreign { pid: u32, port: u16 },
    /// One is nobody's.
    Nobody { port: u16 },
    /// Nobody could look.
    Unknown { why: io::Error },
}

async fn who_listens(ports: Vec<u16>, leader: u32) -> Listening {
    let owners = ports.clone().into_iter().map(move |port| (port, sockets::owner(port, leader)));
    let owners: Vec<_> = match aside(move || owners.collect()).await {
        Ok(owners) => owners,
        Err(why) => return Listening::Unknown { why },
    };
    let mut evidence = String::new();
    for (port, owner) in owners {
        let whose = match owner {
            sockets::Owner::Leader => format!("listening on {port} (own process)"),
            sockets::Owner::Member { pid } => format!("listening on {port} (its child {pid})"),
            sockets::Owner::Hidden { other_user: false } => format!("answers on {port}"),
            sockets::Owner::Hidden { other_user: true } => return Listening::Foreign { pid: 0, port },
            sockets::Owner::Foreign { pid } => return Listening::Foreign { pid, port },
            sockets::Owner::Nobody => return Listening::Nobody { port },
        };
        if evidence.is_empty() {
            evidence = whose;
        } else {
            evidence.push_str(", ");
            evidence.push_str(&whose);
        }
    }
    Listening::Own { evidence }
}

async fn watch(mut reporter: Reporter, health: HealthSpec, question: Question, mut occasion: Occasion) {
    loop {
        occasion.wait(&mut reporter.patience, health.interval).await;
        // One probe in flight: the next is due an interval after this one has ended.
        let Answer { took, outcome } = reporter.ask(&question, health.timeout, health.degraded_after).await;
        panic_if_a_test_wants_it("probe");
        let record = ProbeRecord { at: reporter.clock.now(), took, outcome };
        let (process, generation) = (reporter.process.clone(), reporter.generation);
        if reporter.news.send(News::Input(Input::Probed { process, generation, record })).is_err() {
            return;
        }
        reporter.patience.sleep(health.interval).await;
    }
}

/// When a probe may ask.
struct Occasion {
    /// Only after somebody else has begun the session: some MCP servers decide at the first message what they speak, and a
    /// ping that comes first would decide it for the client.
    session: Option<Talk>,
}

impl Occasion {
    fn is_yet_to_come(&self) -> bool {
        self.session.as_ref().is_some_and(|talk| !talk.stdin.is_used())
    }

    async fn wait(&mut self, patience: &mut Patience, interval: Duration) {
        while self.is_yet_to_come() {
            patience.sleep(interval).await;
        }
        self.session = None;
    }
}

/// Whether a line is a message of JSON-RPC, and so of a session that others may share.
fn is_message(line: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(line).is_ok_and(|message| message.get("jsonrpc").is_some())
}
