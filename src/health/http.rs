//! An HTTP request whose answer is the process's own: no redirects, no proxy, a bounded body.

use std::{
    error::Error,
    sync::{Arc, OnceLock},
};

use reqwest::{Client, Method, Response, redirect};

use super::{
    names::Names,
    question::{HttpQuestion, failed},
    tcp,
};
use crate::model::ProbeOutcome;

/// Bytes of a body that are read; a longer one is no failure.
const MAX_BODY: usize = 10 << 10;

pub(super) async fn ask(question: &HttpQuestion) -> ProbeOutcome {
    let client = match client() {
        Ok(client) => client,
        Err(e) => return failed("error", e.clone()),
    };
    let method = match Method::from_bytes(question.method.as_bytes()) {
        Ok(method) => method,
        Err(e) => return failed("error", format!("{:?} is no HTTP method: {e}", question.method)),
    };
    let mut request = client.request(method, &question.url);
    for (name, value) in &question.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &question.body {
        request = request.body(body.clone());
    }
    match request.send().await {
        Ok(response) => judge(question, response).await,
        Err(e) => refused(&question.url, &e),
    }
}

/// One client for all probes. No connection is kept: a probe that reuses one would not see that nobody listens.
fn client() -> &'static Result<Client, String> {
    static CLIENT: OnceLock<Result<Client, String>> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let builder =
            Client::builder().no_proxy().redirect(redirect::Policy::none()).pool_max_idle_per_host(0).dns_resolver(Arc::new(Names));
        builder.build().map_err(|e| format!("no HTTP client: {e}"))
    })
}

async fn judge(question: &HttpQuestion, mut response: Response) -> ProbeOutcome {
    let status = response.status().as_u16();
    let location = response.headers().get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while body.len() < MAX_BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(e) => return failed("cut", format!("{} broke off in its body: {}", question.url, root(&e))),
        }
    }
    body.truncate(MAX_BODY);
    if question.degraded.contains(&status) {
        return ProbeOutcome::Degraded { why: format!("HTTP {status}") };
    }
    if !question.expect.contains(&status) {
        let wanted: Vec<_> = question.expect.iter().map(ToString::to_string).collect();
        let redirect = location.map(|to| format!(", a redirect to {to}, which is not followed")).unwrap_or_default();
        return failed(&status.to_string(), format!("HTTP {status} from {}, wanted {}{redirect}", question.url, wanted.join(" or ")));
    }
    match &question.expect_body {
        Some(pattern) if !pattern.is_match(&String::from_utf8_lossy(&body)) => {
            failed("body", format!("HTTP {status} from {}, but its body does not match {pattern}", question.url))
        }
        _ => ProbeOutcome::Ok,
    }
}

fn refused(url: &str, e: &reqwest::Error) -> ProbeOutcome {
    let mut cause: Option<&(dyn Error + 'static)> = Some(e);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return failed(tcp::short(io), format!("{url}: {}", tcp::in_words(io)));
        }
        cause = error.source();
    }
    let short = if e.is_builder() { "bad url" } else { "no http" };
    failed(short, format!("{url}: {}", root(e)))
}

/// The innermost message: the outer ones repeat the URL.
fn root(e: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = e;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
        time::{Duration, Instant},
    };

    use super::super::{Answer, Question, ask};
    use super::*;

    /// A server that reads a request and does `answer` with the connection.
    fn serve(answer: impl FnOnce(&mut std::net::TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/health", listener.local_addr().expect("it is bound"));
        thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("the probe connects");
            let _ = connection.read(&mut [0; 4096]);
            answer(&mut connection);
        });
        url
    }

    fn say(text: &'static str) -> impl FnOnce(&mut std::net::TcpStream) + Send {
        move |connection| connection.write_all(text.as_bytes()).expect("the probe reads")
    }

    async fn probe(url: String, timeout: Duration) -> Answer {
        let question = HttpQuestion {
            url,
            method: "GET".into(),
            headers: Vec::new(),
            body: None,
            expect: vec![200],
            expect_body: None,
            degraded: vec![503],
        };
        ask(&Question::Http(question), timeout, None).await
    }

    fn short(answer: &Answer) -> &str {
        match &answer.outcome {
            ProbeOutcome::Failed { short, .. } => short,
            ProbeOutcome::Ok => "ok",
            ProbeOutcome::Degraded { .. } => "degraded",
        }
    }

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn h7_statuses_and_garbage_are_told_apart() {
        for (text, wanted) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
            ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "500"),
            ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", "degraded"),
            ("hello, I am no web server\r\n\r\n", "no http"),
            // An interim answer is none; what follows it is.
            ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "ok"),
            // A TLS alert, as a server says that was greeted without TLS.
            ("\x15\x03\x01\x00\x02\x02\x46", "no http"),
            // Nothing but its end.
            ("", "no http"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ncut", "cut"),
        ] {
            let answer = probe(serve(say(text)), LONG).await;
            assert_eq!(short(&answer), wanted, "{text:?} → {answer:?}");
        }
    }

    #[tokio::test]
    async fn h6_redirects_are_reported_not_followed() {
        let answer = probe(serve(say("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")), LONG).await;
        let ProbeOutcome::Failed { short, why } = answer.outcome else { panic!("a redirect is no success") };
        assert_eq!(short, "302");
        assert!(why.contains("a redirect to http://127.0.0.1:1/, which is not followed"), "{why}");
    }

    #[tokio::test]
    async fn h2_h3_silence_and_dripping_end_at_the_total_timeout() {
        let hang = serve(|_| thread::sleep(Duration::from_secs(5)));
        let drip = serve(|connection| {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".iter().chain(std::iter::repeat_n(&b'x', 10_000)) {
                if connection.write_all(&[*byte]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        for url in [hang, drip] {
            let began = Instant::now();
            let answer = probe(url, Duration::from_millis(300)).await;
            assert_eq!(short(&answer), "timeout");
            assert!(began.elapsed() < Duration::from_secs(4));
        }
    }

    #[tokio::test]
    async fn h5_a_huge_body_is_read_to_its_cap_only() {
        let url = serve(|connection| {
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n");
            let block = vec![b'x'; 65536];
            while connection.write_all(&block).is_ok() {}
        });
        let answer = probe(url, LONG).await;
        assert_eq!(answer.outcome, ProbeOutcome::Ok);
    }
}
