//! One exchange in full: heads and bodies as they went by, on both sides of a proxy.

use super::{
    draw::{Line, wrapped},
    shell::quoted,
};
use crate::{
    tap::{Asked, Body, CallKind, Ended, Ending, ExchangeId, Note, Said, Toward},
    tui::{pane::line::tidied_text as tidied, scene::Scene, text::clean, theme::Role},
};

/// Of a body that is shown, at most: the rest stands in the recording.
const LINES: usize = 400;

/// The lines of an exchange, and of the one that the process behind the tap began because of it.
pub(super) fn lines(scene: &Scene<'_>, id: ExchangeId, width: u16) -> Vec<Line> {
    let width = usize::from(width.saturating_sub(2)).max(20);
    let mut page = Page { scene, width, lines: Vec::new() };
    let notes = scene.notes_of(id);
    if notes.is_empty() {
        page.put("This exchange is not kept: the recording is in memory only, or its file is full.", Role::Dim);
        return page.lines;
    }
    page.exchange(&notes);
    if let Some(beyond) = scene.exchange(id).and_then(|exchange| exchange.beyond) {
        page.blank();
        page.put("Because of it", Role::Strong);
        page.blank();
        page.exchange(&scene.notes_of(beyond));
    }
    page.lines
}

/// What asks the same again, and what that is: a line for a shell, or the line that went over a pipe. What is masked stays
/// masked.
pub(crate) fn again(notes: &[Note]) -> Option<(String, &'static str)> {
    let line = notes.iter().find_map(|note| if let Note::Asked(asked) = note { asked.pipe.map(|_| asked.body.text.clone()) } else { None });
    line.map(|line| (line, "the line")).or_else(|| curl(notes).map(|line| (line, "the curl line")))
}

/// A line for a shell that asks the same again; none for what is no HTTP.
fn curl(notes: &[Note]) -> Option<String> {
    let asked = notes.iter().find_map(|note| if let Note::Asked(asked) = note { Some(asked) } else { None })?;
    let http = asked.http.as_ref()?;
    let (_, host) = http.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"))?;
    let mut words = vec!["curl".to_owned(), "-i".into(), "-X".into(), quoted(&http.method)];
    let own = ["host", "content-length", "connection", "transfer-encoding", "accept-encoding", "user-agent"];
    for (name, value) in http.fields.iter().filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str())) {
        words.extend(["-H".into(), quoted(&format!("{name}: {value}"))]);
    }
    if !asked.body.is_empty() {
        words.extend(["--data-binary".into(), quoted(&asked.body.text)]);
    }
    words.push(quoted(&format!("http://{host}{}", http.target)));
    Some(words.join(" "))
}

struct Page<'s> {
    scene: &'s Scene<'s>,
    width: usize,
    lines: Vec<Line>,
}

impl Page<'_> {
    fn exchange(&mut self, notes: &[Note]) {
        let start = notes.iter().find_map(|note| if let Note::Asked(asked) = note { Some(asked.at) } else { None });
        let on_pipe = notes.iter().any(|note| matches!(note, Note::Asked(Asked { pipe: Some(_), .. })));
        for note in notes {
            match note {
                Note::Asked(asked) => self.asked(asked),
                Note::Answered(answered) => {
                    self.blank();
                    let after = start.map(|start| millis(answered.at.since(start))).unwrap_or_default();
                    let role = if answered.status < 400 { Role::Good } else { Role::Warn };
                    self.put(&format!("{}   after {after}", answered.status), role);
                    self.fields(&answered.fields);
                }
                Note::Said(said) => self.said(said),
                Note::Ended(ended) => {
                    if let Some((error, start)) = pipe_answer(ended, on_pipe).zip(start) {
                        self.blank();
                        let (word, role) = if error { ("error", Role::Warn) } else { ("result", Role::Good) };
                        self.put(&format!("{word}   after {}", millis(ended.at.since(start))), role);
                    }
                    self.body(&ended.body);
                    if let Some(word) = how(ended.how, on_pipe) {
                        self.blank();
                        self.put(word, Role::Bad);
                    }
                }
                Note::Client { .. } | Note::Gate { .. } => {}
            }
        }
    }

    fn asked(&mut self, asked: &Asked) {
        let at = format!("at {}", asked.at.seconds());
        match &asked.http {
            Some(http) => self.put(&format!("{} {}   to {}   {at}", http.method, clean(&http.target), asked.tap), Role::Strong),
            None => match asked.pipe {
                Some(Toward::Server) => self.put(&format!("a line to the stdin of {}   {at}", asked.tap), Role::Strong),
                Some(Toward::Client) => self.put(&format!("a line on the stdout of {}   {at}", asked.tap), Role::Strong),
                None => self.put(&format!("a connection to {}   {at}", asked.tap), Role::Strong),
            },
        }
        if let Some(fault) = asked.fault {
            self.put(&format!("disturbed: {}", fault.word()), Role::Warn);
        }
        if let Some(http) = &asked.http {
            self.fields(&http.fields);
        }
        self.body(&asked.body);
    }

    fn said(&mut self, said: &Said) {
        self.blank();
        let way = if said.toward == Toward::Client { "to the client" } else { "to the server" };
        self.put(&format!("{way}   at {}", said.at.seconds()), Role::Dim);
        self.body(&said.body);
    }

    fn fields(&mut self, fields: &[(String, String)]) {
        for (name, value) in fields {
            let text = format!("{}: {}", clean(name), clean(value));
            self.lines.extend(wrapped(&text, self.width, self.scene.look.style(Role::Dim)));
        }
    }

    /// JSON is set out; anything else stands as it came.
    fn body(&mut self, body: &Body) {
        if body.is_empty() {
            return;
        }
        self.blank();
        if body.text.is_empty() {
            return self.put(&format!("{} bytes that are no text", body.size), Role::Dim);
        }
        let json = serde_json::from_str::<serde_json::Value>(&body.text).and_then(|value| serde_json::to_string_pretty(&value));
        let text = json.unwrap_or_else(|_| body.text.clone());
        for line in text.lines().take(LINES) {
            let line = tidied(line, self.scene.look);
            self.lines.extend(wrapped(&line, self.width, self.scene.look.style(Role::Plain)));
        }
        let more = text.lines().count().saturating_sub(LINES);
        match (body.cut(), more) {
            (0, 0) => {}
            (0, more) => self.put(&format!("{more} more lines"), Role::Dim),
            (cut, _) => self.put(&format!("{cut} more bytes"), Role::Dim),
        }
    }

    fn blank(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, text: &str, role: Role) {
        self.lines.extend(wrapped(text, self.width, self.scene.look.style(role)));
    }
}

fn millis(took: std::time::Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1e3)
}

/// Whether the answer over a pipe is an error; none if this is no such answer.
fn pipe_answer(ended: &Ended, on_pipe: bool) -> Option<bool> {
    let error = ended.calls.iter().any(|call| call.kind == CallKind::Error);
    (on_pipe && ended.how == Ending::Answered).then_some(error)
}

fn how(ending: Ending, on_pipe: bool) -> Option<&'static str> {
    Some(match ending {
        Ending::Answered | Ending::Closed | Ending::Sent => return None,
        Ending::Broken => "the answer broke off",
        Ending::Unanswered if on_pipe => "no answer came before the stdout of the process ended",
        Ending::Unanswered => "the connection was closed without an answer",
        Ending::Abandoned => "the client went away before the answer was complete",
        Ending::Refused => "refused: nobody listened behind the tap",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{At, ProcessId},
        tap::RequestHead,
    };

    #[test]
    fn a_request_is_repeated_by_a_shell() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let http = RequestHead {
            method: "POST".into(),
            target: "/mcp".into(),
            session: None,
            fields: vec![field("Host", "127.0.0.1:20001"), field("Content-Type", "application/json"), field("Content-Length", "9")],
        };
        let asked = Note::Asked(Asked {
            exchange: 1,
            tap: ProcessId::new("proxy").expect("a name"),
            connection: 1,
            at: At(0),
            http: Some(http),
            body: Body { size: 9, text: "{\"a\":'b'}".into() },
            calls: Vec::new(),
            fault: None,
            pipe: None,
        });
        let line = curl(&[asked]).expect("HTTP");
        assert_eq!(
            line,
            r#"curl -i -X POST -H 'Content-Type: application/json' --data-binary '{"a":'\''b'\''}' http://127.0.0.1:20001/mcp"#
        );
    }
}
