//! What a tap records is what rmcp, as client and as server, says went by: method, id, session, direction, and how often.
//!
//! The client says it at its transport, each message as it is sent and as it is received; the server in its handlers, with the
//! session that its HTTP layer gives it. Neither knows of the tap.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{At, ProcessId},
    redact::Redactor,
    tap::{Call, CallKind, Note, Observer, TapSpec, Taps, Toward},
};
use futures_util::future::join_all;
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData, RoleClient, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, GetPromptRequestParams, InitializeRequestParams, InitializeResult, JsonObject,
        ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerConfig,
    },
    service::{NotificationContext, RequestContext, RxJsonRpcMessage, TxJsonRpcMessage},
    transport::{
        StreamableHttpClientTransport, Transport, streamable_http_client::StreamableHttpClientTransportConfig,
        streamable_http_server::StreamableHttpServerConfig,
    },
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    rmcp_server::{Server, serve_any},
    support::{DEADLINE, http, in_time},
};

/// What somebody says went by, in any order: a message a line.
type Told = Arc<Mutex<Vec<String>>>;

fn tell(told: &Told, line: String) {
    told.lock().expect("no panic").push(line);
}

fn sorted(told: &Told) -> Vec<String> {
    let mut all = told.lock().expect("no panic").clone();
    all.sort();
    all
}

/// `to the server: request tools/call, id 3`.
fn line(toward: Toward, kind: &str, method: &str, id: &str) -> String {
    format!("{}: {kind} {method}, id {id}", if toward == Toward::Server { "to the server" } else { "to the client" })
}

/// The same of a message of rmcp.
fn line_of(toward: Toward, message: &impl Serialize) -> String {
    let json = serde_json::to_value(message).expect("JSON");
    let id = match &json["id"] {
        Value::Null => "none".to_owned(),
        Value::String(id) => id.clone(),
        id => id.to_string(),
    };
    let method = json["method"].as_str();
    let kind = match method {
        Some(_) if id == "none" => "notification",
        Some(_) => "request",
        None if json.get("error").is_some() => "error",
        None => "result",
    };
    line(toward, kind, method.unwrap_or_default(), &id)
}

/// The same of what a tap has recorded.
fn line_of_call(toward: Toward, call: &Call) -> String {
    let kind = match call.kind {
        CallKind::Request => "request",
        CallKind::Notification => "notification",
        CallKind::Result => "result",
        CallKind::Error => "error",
    };
    line(toward, kind, &call.method, call.id.as_deref().unwrap_or("none"))
}

/// A transport of the client that says what goes through it.
struct Heard<T> {
    inner: T,
    told: Told,
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Heard<T> {
    type Error = T::Error;

    fn send(&mut self, message: TxJsonRpcMessage<RoleClient>) -> impl Future<Output = Result<(), T::Error>> + Send + 'static {
        tell(&self.told, line_of(Toward::Server, &message));
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await;
        if let Some(message) = &message {
            tell(&self.told, line_of(Toward::Client, message));
        }
        message
    }

    async fn close(&mut self) -> Result<(), T::Error> {
        self.inner.close().await
    }
}

/// A server that says what comes to it, and in which session.
struct Witness {
    told: Told,
}

impl Witness {
    fn hears(&self, method: &str, context: &RequestContext<RoleServer>) {
        self.hears_in(method, &context.id.to_string(), &context.extensions);
    }

    fn hears_in(&self, method: &str, id: &str, extensions: &rmcp::model::Extensions) {
        let parts = extensions.get::<hyper::http::request::Parts>().expect("it came over HTTP");
        let session = parts.headers.get("mcp-session-id").map_or("none", |id| id.to_str().expect("ASCII"));
        tell(&self.told, format!("{method}, id {id}, session {session}"));
    }
}

impl ServerHandler for Witness {
    fn get_info(&self) -> ServerConfig {
        Server.get_info()
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        self.hears("initialize", &context);
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.hears_in("notifications/initialized", "none", &context.extensions);
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<rmcp::model::DiscoverResult, ErrorData> {
        self.hears("server/discover", &context);
        Server.discover(context).await
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.hears("tools/list", &context);
        Server.list_tools(page, context).await
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        self.hears("tools/call", &context);
        Server.call_tool(request, context).await
    }

    async fn get_prompt(
        &self,
        _: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<rmcp::model::GetPromptResponse, ErrorData> {
        self.hears("prompts/get", &context);
        Err(ErrorData::invalid_params("no such prompt", None))
    }
}

/// Who keeps what the tap notes.
#[derive(Debug)]
struct Notes {
    all: Mutex<Vec<Note>>,
    start: Instant,
}

impl Observer for Notes {
    fn now(&self) -> At {
        At(u64::try_from(self.start.elapsed().as_micros()).expect("a short test"))
    }
    fn note(&self, note: Note) {
        self.all.lock().expect("no panic").push(note);
    }
    fn fault_over(&self, _tap: &ProcessId) {}
    fn client(&self, _port: u16) -> Option<ProcessId> {
        None
    }
    fn listens(&self, _port: u16) -> bool {
        true
    }
}

impl Notes {
    /// Each message, with its direction.
    fn messages(&self) -> Vec<String> {
        let mut all = Vec::new();
        for note in &*self.all.lock().expect("no panic") {
            match note {
                Note::Asked(asked) => all.extend(asked.calls.iter().map(|call| line_of_call(Toward::Server, call))),
                Note::Said(said) => all.push(line_of_call(said.toward, &said.call)),
                Note::Ended(ended) => all.extend(ended.calls.iter().map(|call| line_of_call(Toward::Client, call))),
                _ => {}
            }
        }
        all.sort();
        all
    }

    /// Each message to the server, with the session that it says it belongs to.
    fn in_sessions(&self) -> Vec<String> {
        let mut all = Vec::new();
        for note in &*self.all.lock().expect("no panic") {
            if let Note::Asked(asked) = note {
                let session = asked.http.as_ref().and_then(|http| http.session.as_deref()).unwrap_or("none");
                let line = |call: &Call| format!("{}, id {}, session {session}", call.method, call.id.as_deref().unwrap_or("none"));
                all.extend(asked.calls.iter().map(line));
            }
        }
        all.sort();
        all
    }

    /// The sessions that answers open.
    fn opened(&self) -> BTreeSet<String> {
        let notes = self.all.lock().expect("no panic");
        notes.iter().filter_map(|note| if let Note::Answered(answered) = note { answered.session.clone() } else { None }).collect()
    }
}

/// A tap in front of a port, open.
async fn tap(real: u16, notes: &Arc<Notes>) -> (Taps, String) {
    let front = {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        free.local_addr().expect("bound").port()
    };
    let process = ProcessId::new("server").expect("a name");
    let observer: Arc<dyn Observer> = notes.clone();
    let taps = Taps::start(&[TapSpec { process: process.clone(), front, real }], &[], &Redactor::default(), &observer).expect("a tap");
    taps.runs(&process, Some(1));
    in_time(async {
        while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, front)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    (taps, format!("http://127.0.0.1:{front}/mcp"))
}

#[derive(Clone)]
struct Client;

impl ClientHandler for Client {}

fn arguments(json: Value) -> JsonObject {
    if let Value::Object(object) = json { object } else { JsonObject::new() }
}

async fn the_tap_says_the_same(json_response: bool, lifecycle: ClientLifecycleMode, has_session: bool) {
    let (sent, came) = (Told::default(), Told::default());
    let witness = came.clone();
    let config = StreamableHttpServerConfig::default().with_json_response(json_response);
    let server = serve_any(move || Witness { told: witness.clone() }, config, None).await;
    let notes = Arc::new(Notes { all: Mutex::default(), start: Instant::now() });
    let (taps, url) = tap(server.port(), &notes).await;
    let inner = StreamableHttpClientTransport::with_client(http(), StreamableHttpClientTransportConfig::with_uri(url));
    let transport = Heard { inner, told: sent.clone() };
    let client = in_time(Client.serve_with_lifecycle(transport, lifecycle)).await.expect("a handshake");

    in_time(client.list_all_tools()).await.expect("tools");
    let call = |tool: &'static str, with| client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments(with)));
    // Answers may overtake one another; the ids tell.
    let echoes = join_all((0..12).map(|n| call("echo", json!({"message": format!("{n}")}))));
    assert!(in_time(echoes).await.iter().all(Result::is_ok));
    in_time(call("count", json!({"to": 5}))).await.expect("a result");
    in_time(call("fail", json!({}))).await.expect("a result that says so");
    if has_session && !json_response {
        in_time(call("notify", json!({"count": 3}))).await.expect("a result");
    }
    in_time(client.get_prompt(GetPromptRequestParams::new("none"))).await.expect_err("there is none");

    let start = Instant::now();
    while notes.messages() != sorted(&sent) && start.elapsed() < DEADLINE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(notes.messages(), sorted(&sent), "what the client sent and received");
    assert_eq!(notes.in_sessions(), sorted(&came), "what came to the server");
    let of_calls = notes.messages().iter().filter(|line| line.starts_with("to the server: request tools/call")).count();
    assert_eq!(of_calls, 14 + usize::from(has_session && !json_response));
    let progress = notes.messages().iter().filter(|line| line.contains("notifications/progress")).count();
    assert!(progress == 5 || json_response, "in the stream of the answer: {progress}");
    // The server names the session in what it answers, and the client in what it asks.
    let sessions: BTreeSet<_> = sorted(&came).iter().filter_map(|line| Some(line.split_once("session ")?.1.to_owned())).collect();
    let opened = notes.opened();
    assert_eq!(opened.len(), usize::from(has_session), "{opened:?}");
    assert!(opened.is_subset(&sessions), "{opened:?} {sessions:?}");
    in_time(client.cancel()).await.expect("a clean end");
    drop(taps);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_records_what_rmcp_says_in_streams() {
    the_tap_says_the_same(false, ClientLifecycleMode::Initialize, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_records_what_rmcp_says_in_json() {
    the_tap_says_the_same(true, ClientLifecycleMode::Initialize, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_records_what_rmcp_says_without_a_handshake() {
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    the_tap_says_the_same(false, lifecycle, false).await;
}
