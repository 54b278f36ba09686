//! Answers that a fault makes up in a process's place.

/// An answer in a process's place. Where HTTP has no body (RFC 9110, 6.4.1) the client reads none either.
pub(super) fn made_up(status: u16, head_only: bool, closes: bool) -> String {
    const BODY: &str = "a fault of e2e-tui\n";
    let connection = if closes { "connection: close\r\n" } else { "" };
    if matches!(status, 100..=199 | 204 | 304) {
        return format!("HTTP/1.1 {status} \r\n{connection}\r\n");
    }
    let body = if head_only { "" } else { BODY };
    format!("HTTP/1.1 {status} \r\ncontent-type: text/plain\r\ncontent-length: {}\r\n{connection}\r\n{body}", BODY.len())
}

/// Whether a client expects the connection to end with the answer to this request (RFC 9112, 9.3).
pub(super) fn wants_close(request: &[u8]) -> bool {
    let end = memchr::memmem::find(request, b"\r\n\r\n").unwrap_or(request.len());
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let mut lines = head.lines();
    let is_old = lines.next().is_some_and(|line| line.trim_end().ends_with("http/1.0"));
    let said = |word: &str| {
        head.lines().filter_map(|line| line.strip_prefix("connection:")).any(|value| value.split(',').any(|one| one.trim() == word))
    };
    said("close") || is_old && !said("keep-alive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_answer_is_as_http_wants_it() {
        let with_body = made_up(503, false, false);
        assert!(with_body.starts_with("HTTP/1.1 503 \r\n") && with_body.ends_with("\r\n\r\na fault of e2e-tui\n"), "{with_body}");
        assert!(made_up(503, true, false).ends_with("content-length: 19\r\n\r\n"), "to a HEAD there is no body");
        assert_eq!(made_up(204, false, true), "HTTP/1.1 204 \r\nconnection: close\r\n\r\n");
        for (head, closes) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: Keep-Alive, Close\r\n\r\nconnection", true),
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\nconnection: close", false),
            ("GET / HTTP/1.0\r\nhost: a\r\n\r\n", true),
            ("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", false),
        ] {
            assert_eq!(wants_close(head.as_bytes()), closes, "{head}");
        }
    }
}
