//! What arrives on the loop's channels, and what is done about it.

use std::sync::Arc;

use super::{
    expectations::seen,
    handle::{Asked, Wish},
    machine::{Input, SCRIPT_TICKETS},
    runtime::{News, Runtime},
};
use crate::{
    logs::CaptureEvent,
    model::{Actor, Command, EventKind, NoticeLevel, ProcessSpec},
    process::{Screen, TreeEvent},
};

/// What arrives on the loop's channels.
pub(super) enum Arrival {
    Tree(TreeEvent),
    Capture(CaptureEvent),
    News(News),
    Request(Asked),
}

impl Runtime {
    pub(super) fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Tree(event) => self.on_tree(event),
            Arrival::Capture(event) => self.on_capture(event),
            Arrival::News(news) => self.on_news(news),
            Arrival::Request(request) => self.on_request(request),
        }
    }

    fn on_request(&mut self, Asked { wish, answer }: Asked) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.tickets.insert(ticket, answer);
        match wish {
            Wish::Do(request) => {
                if matches!(request.command, Command::Shutdown { .. }) {
                    // What stands still cannot be ended in order.
                    self.go_on();
                }
                if let Command::Shutdown { now } = request.command {
                    self.tell_of_clean_up(now);
                }
                self.feed(Input::Request { request, ticket });
            }
            Wish::Add(spec) => self.add(spec, ticket),
            Wish::Close(end) => self.feed(Input::Close { end, ticket }),
            Wish::Resize(screen) => self.resize(screen, ticket),
            Wish::Ask(inquiry) => self.ask_now(inquiry, ticket),
            Wish::Tell { process, why } => self.tell_trouble(&process, why, ticket),
            Wish::StandStill => self.stand_still(ticket),
            Wish::GoOn => {
                self.go_on();
                self.resolve(ticket, Ok(()));
            }
        }
    }

    /// A process that was not there before: first there is a place for its output, then it may start.
    fn add(&mut self, spec: Arc<ProcessSpec>, ticket: u64) {
        if self.parts.spec.processes.contains_key(&spec.id) {
            return self.resolve(ticket, Err(format!("there is a process {} already", spec.id)));
        }
        if !self.parts.logs.add(&spec.id) {
            return self.resolve(ticket, Err("a run has at most 32,000 processes".into()));
        }
        self.parts.logs.set_manner(&spec.id, spec.log.format, &spec.log.alert);
        self.parts.logs.cap(&spec.id, spec.log.max_disk);
        Arc::make_mut(&mut self.parts.spec).processes.insert(spec.id.clone(), spec.clone());
        self.watch_files(std::slice::from_ref(&spec));
        self.feed(Input::Add { spec, ticket });
    }

    fn resize(&mut self, screen: Screen, ticket: u64) {
        if std::mem::replace(&mut self.screen, screen) != screen {
            self.inputs.values().for_each(|talk| talk.stdin.resize(screen));
        }
        self.resolve(ticket, Ok(()));
    }

    pub(super) fn resolve(&mut self, ticket: u64, result: Result<(), String>) {
        if ticket >= SCRIPT_TICKETS {
            // Heard of with the next news, when all that this was a part of is carried out.
            let _ = self.news.send(News::Input(Input::Carried { ticket, result }));
            return;
        }
        if let Some(answer) = self.tickets.remove(&ticket) {
            self.publish();
            let _ = answer.send(result);
        }
    }

    fn on_news(&mut self, news: News) {
        match news {
            News::Input(input) => self.feed(input),
            News::Prepared { process, generation, prepared } => self.prepared(process, generation, prepared),
            News::Changed { process, file, more } => self.file_changed(process, &file, more),
            News::Notice(text) => self.warn(text),
            News::Exported { ticket, result } => self.exported(ticket, result),
            News::ErrandEnded { purpose, failed, report } => self.errand_ended(purpose, failed, report),
        }
    }

    fn on_capture(&mut self, event: CaptureEvent) {
        match event {
            CaptureEvent::Matched { process, generation, port, line } => self.log_says_ready(&process, generation, port, &line),
            CaptureEvent::Progress { process, generation, text } => self.feed(Input::Progress { process, generation, text }),
            CaptureEvent::Mark { process, text, .. } => {
                self.emit(EventKind::Marked { process: Some(process), text, by: Actor::Supervisor });
            }
            CaptureEvent::Alerts { process, generation, count, line, stream, text } => {
                self.emit(EventKind::Alerted { process, generation, count, line, stream: stream.word().to_owned(), text });
            }
            CaptureEvent::Counted { stream, expectation, counted, .. } => {
                let input = seen(&self.parts.spec, expectation, stream, counted);
                self.feed(input);
            }
            CaptureEvent::Flushed => self.feed(Input::Flushed),
            CaptureEvent::Drained { process, generation, tail, .. } => self.feed(Input::Drained { process, generation, tail }),
            CaptureEvent::DiskTrouble { error } => {
                let text = format!("the recording's disk refuses output ({error}): the newest output is kept in memory, the run goes on");
                self.emit(EventKind::Notice { level: NoticeLevel::Warning, text });
            }
            CaptureEvent::CapNotKept { error } => {
                let text = format!("the recording grows beyond its max_disk: its oldest output cannot be given back ({error})");
                self.emit(EventKind::Notice { level: NoticeLevel::Warning, text });
            }
            CaptureEvent::DiskRecovered { lost: 0 } => {
                let text = "the recording's disk takes output again; nothing is lost".to_owned();
                self.emit(EventKind::Notice { level: NoticeLevel::Info, text });
            }
            CaptureEvent::DiskRecovered { lost } => {
                let text = format!("the recording's disk takes output again; {lost} bytes that were said meanwhile are lost");
                self.emit(EventKind::Notice { level: NoticeLevel::Warning, text });
            }
        }
    }

    fn on_tree(&mut self, event: TreeEvent) {
        let Some(event) = self.commands.claim(event) else { return };
        match event {
            TreeEvent::Lost { why, .. } => {
                self.unheard.clear();
                self.stands_still();
                self.feed(Input::SpawnerLost { why });
            }
            TreeEvent::StandStill => self.stands_still(),
            TreeEvent::Sampled { trees } => self.sampled(trees),
            TreeEvent::Notice { text, .. } => self.warn(text),
            event => self.tree_says(event),
        }
    }
}
