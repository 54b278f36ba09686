//! Takes a line apart in the format that its process writes.

use super::{
    fields,
    head::{head, spoken_level},
    structure::Structure,
};
use crate::model::LogFormat;

/// What `text` says about itself. JSON and logfmt are told anew as `message key=value`.
///
/// A line that is not of the named format (a panic among JSON) is left whole, but a failure it tells of still counts.
pub(super) fn structure(text: &str, format: LogFormat) -> Structure {
    let found = match format {
        LogFormat::Plain => return Structure::default(),
        LogFormat::Auto => fields::json(text, false).or_else(|| fields::logfmt(text, false)).unwrap_or_else(|| head(text)),
        LogFormat::Json => fields::json(text, true).unwrap_or_default(),
        LogFormat::Logfmt => fields::logfmt(text, true).unwrap_or_default(),
        LogFormat::Tracing => fields::json(text, false).unwrap_or_else(|| head(text)),
    };
    let level = found.level.or_else(|| if found.message.is_none() { spoken_level(text) } else { None });
    Structure { level, ..found }
}

#[cfg(test)]
mod tests {
    use crate::{
        logs::{present, present_as},
        model::LogFormat,
    };

    /// Each line as `level | own time | text`.
    fn seen(lines: &[&str]) -> String {
        seen_as(lines, LogFormat::Auto)
    }

    fn seen_as(lines: &[&str], format: LogFormat) -> String {
        let tell = |line: &&str| {
            let seen = present_as(line.as_bytes(), format);
            let level = seen.level.map_or('-', crate::logs::Level::letter);
            format!("{level} | {} | {}", seen.own_time.as_deref().unwrap_or("-"), seen.text())
        };
        lines.iter().map(tell).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn rust_formats() {
        insta::assert_snapshot!(seen(&[
            "\x1b[2m2026-11-23T06:25:57.881890Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mtr\x1b[0m\x1b[2m:\x1b[0m Reverse proxy listening on 127.0.0.1:8089",
            "2026-11-23T06:25:57.899611Z  INFO handle{session_id=\"6f1b...\"}: tr: Processing initialize for 6f1b...",
            "2026-11-23T06:25:57.899624Z  WARN handle{session_id=\"6f1b...\"}: tr: upstream failed status=502",
            "2026-11-23T06:25:57.899639Z ERROR tr: HTTP upstream returned error status: 500 Internal Server Error - Body: multi",
            "line",
            "[2026-11-23T06:25:57Z INFO  target::module] env_logger",
            "[2026-11-23T06:25:57Z DEBUG target] env_logger",
            "thread 'main' panicked at src/upstream.rs:42:",
            "thread 'tokio-runtime-worker' (4711) panicked at src/upstream.rs:42:",
            "error[E0506]: cannot assign to `x`",
            "warning: unused variable",
        ]), @r##"
        I | 2026-11-23T06:25:57.881890Z | tr: Reverse proxy listening on 127.0.0.1:8089
        I | 2026-11-23T06:25:57.899611Z | handle{session_id="6f1b..."}: tr: Processing initialize for 6f1b...
        W | 2026-11-23T06:25:57.899624Z | handle{session_id="6f1b..."}: tr: upstream failed status=502
        E | 2026-11-23T06:25:57.899639Z | tr: HTTP upstream returned error status: 500 Internal Server Error - Body: multi
        - | - | line
        I | 2026-11-23T06:25:57Z | [target::module] env_logger
        D | 2026-11-23T06:25:57Z | [target] env_logger
        E | - | thread 'main' panicked at src/upstream.rs:42:
        E | - | thread 'tokio-runtime-worker' (4711) panicked at src/upstream.rs:42:
        E | - | error[E0506]: cannot assign to `x`
        W | - | warning: unused variable
        "##);
    }

    #[test]
    fn fields() {
        insta::assert_snapshot!(seen(&[
            r#"{"timestamp":"2026-11-23T06:25:57.904537Z","level":"WARN","fields":{"message":"upstream failed","status":502},"target":"tr","span":{"session_id":"6f1b","name":"handle"},"spans":[]}"#,
            r#"{"level":30,"time":1763879157904,"pid":12,"hostname":"box","msg":"pino says","reqId":"a b"}"#,
            r#"{"level":"info","ts":1763879157.9,"caller":"main.go:4","msg":"zap says"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"severity":"ERROR","message":"two\nlines"}"#,
            r#"{"name":"svc","hostname":"box","pid":7,"level":50,"msg":"bunyan says","time":"2026-11-23T06:25:57.904Z","v":0}"#,
            r#"{"level":"dpanic","ts":1.763879157904e+09,"logger":"zap","msg":"panics in tests"}"#,
            r#"{"ts":1763879157904537,"level":"warn","message":"microseconds"}"#,
            r#"time="2026-11-23T06:25:57Z" level=info msg="logfmt says \"hi\"" session=6f1b empty="""#,
            "ts=2026-11-23T06:25:57Z level=error msg=short code=7",
            "status=200 elapsed=2ms",
        ]), @r#"
        W | 2026-11-23T06:25:57.904537Z | handle{session_id=6f1b}: tr: upstream failed status=502
        I | 2025-11-23T06:25:57.904Z | pino says reqId="a b"
        I | 2025-11-23T06:25:57.900Z | zap says caller=main.go:4
        - | - | {"jsonrpc":"2.0","id":1,"result":{}}
        E | - | two⏎lines
        E | 2026-11-23T06:25:57.904Z | svc: bunyan says
        E | 2025-11-23T06:25:57.904Z | zap: panics in tests
        W | 2025-11-23T06:25:57.904537Z | microseconds
        I | 2026-11-23T06:25:57Z | logfmt says "hi" session=6f1b empty=""
        E | 2026-11-23T06:25:57Z | short code=7
        - | - | status=200 elapsed=2ms
        "#);
    }

    #[test]
    fn python_formats() {
        insta::assert_snapshot!(seen(&[
            "[I 2026-11-23 06:20:33,351.351 mcp_proxy.__main__] Configured default server: x",
            "INFO:     Uvicorn running on http://127.0.0.1:8000",
            "INFO:     127.0.0.1:56716 - \"POST /mcp HTTP/1.1\" 200 OK",
            "2026-11-23 06:21:33,334 - mcp-reference-server - INFO - started",
            "[2026-11-23 06:33:59,687] [INFO] [name] gunicorn-like",
            "[2026-11-23 06:33:59 +0000] [123] [WARNING] gunicorn",
            "[2026-11-23 06:25:10] bare",
            "WARNING:root:basicConfig",
            "Traceback (most recent call last):",
            "  File \"x.py\", line 1, in <module>",
            "ValueError: bad",
        ]), @r##"
        I | 2026-11-23 06:20:33,351.351 | [mcp_proxy.__main__] Configured default server: x
        I | - | Uvicorn running on http://127.0.0.1:8000
        I | - | 127.0.0.1:56716 - "POST /mcp HTTP/1.1" 200 OK
        I | 2026-11-23 06:21:33,334 | mcp-reference-server - started
        I | 2026-11-23 06:33:59,687 | [name] gunicorn-like
        W | 2026-11-23 06:33:59 +0000 | [123] gunicorn
        - | 2026-11-23 06:25:10 | bare
        W | - | root:basicConfig
        E | - | Traceback (most recent call last):
        - | - |   File "x.py", line 1, in <module>
        E | - | ValueError: bad
        "##);
    }

    #[test]
    fn servers_and_others() {
        insta::assert_snapshot!(seen(&[
            "2026/11/23 06:31:25 [error] 21336#21336: *16 upstream prematurely closed",
            "127.0.0.1 - - [23/Nov/2026:06:21:16 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"curl\"",
            "127.0.0.1:5000 [23/Nov/2026:06:21:22.693] fe be/srv 0/0/0/1/1 200 100 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
            "[06:21:27.616][127.0.0.1:5000] client connect",
            "\x1b[90m2026-11-23T06:22:21.470Z\x1b[0m [ping] \x1b[32mSUCCESS\x1b[0m done",
            "I1123 06:21:33.334567   12345 file.go:42] glog",
            "E1123 06:21:33.334567   12345 file.go:42] glog",
            "2026-11-23 06:21:33,334 [main] INFO  c.e.Foo - logback",
            "2026-11-23T06:21:33.334Z\tINFO\tmain.go:4\tzap console",
            "Nov 23 06:21:16 host prog[1]: syslog",
            "[NOTICE]   (4711) : New worker (4712) forked",
            "[ALERT]    (4711) : config : parsing [x.cfg:3] : unknown keyword",
            "<131>Nov 23 06:21:16 haproxy[12]: Proxy fe started.",
            "<134>1 2026-11-23T06:21:16.003Z host app 12 - - rfc5424",
            "[06:21:27.616] 127.0.0.1:5000: GET http://127.0.0.1:20001/mcp",
            "6:21AM INF zerolog console port=8080",
            "1763879157.904 WARN epoch",
            "npm warn exec The following package was not found",
            "npm ERR! code 1",
        ]), @r#"
        E | 2026/11/23 06:31:25 | 21336#21336: *16 upstream prematurely closed
        - | 23/Nov/2026:06:21:16 +0000 | 127.0.0.1 - - "GET / HTTP/1.1" 200 612 "-" "curl"
        - | 23/Nov/2026:06:21:22.693 | 127.0.0.1:5000 fe be/srv 0/0/0/1/1 200 100 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"
        - | 06:21:27.616 | [127.0.0.1:5000] client connect
        - | 2026-11-23T06:22:21.470Z | [ping] SUCCESS done
        I | 1123 06:21:33.334567 | 12345 file.go:42] glog
        E | 1123 06:21:33.334567 | 12345 file.go:42] glog
        I | 2026-11-23 06:21:33,334 | [main] c.e.Foo - logback
        I | 2026-11-23T06:21:33.334Z | main.go:4       zap console
        - | Nov 23 06:21:16 | host prog[1]: syslog
        I | - | (4711) : New worker (4712) forked
        E | - | (4711) : config : parsing [x.cfg:3] : unknown keyword
        E | Nov 23 06:21:16 | haproxy[12]: Proxy fe started.
        I | 2026-11-23T06:21:16.003Z | host app 12 - - rfc5424
        - | 06:21:27.616 | 127.0.0.1:5000: GET http://127.0.0.1:20001/mcp
        I | 6:21AM | zerolog console port=8080
        W | 2025-11-23T06:25:57.904Z | epoch
        W | - | npm warn exec The following package was not found
        E | - | npm ERR! code 1
        "#);
    }

    #[test]
    fn a_named_format_is_taken_at_its_word() {
        let lines = [
            r#"{"id":7,"status":502}"#,
            r#"{"level":"warn","msg":"json"}"#,
            "status=502 elapsed=2ms",
            "time=1763879157 level=error msg=logfmt",
            "2026-11-23T06:25:57.8Z  WARN handle{id=1}: tr: tracing",
            "[2026-11-23 06:33:59,687] [INFO] [name] other",
            "thread 'main' panicked at src/upstream.rs:42:",
        ];
        let all = [LogFormat::Plain, LogFormat::Json, LogFormat::Logfmt, LogFormat::Tracing];
        insta::assert_snapshot!(all.map(|format| format!("{format:?}\n{}", seen_as(&lines, format))).join("\n\n"), @r#"
        Plain
        - | - | {"id":7,"status":502}
        - | - | {"level":"warn","msg":"json"}
        - | - | status=502 elapsed=2ms
        - | - | time=1763879157 level=error msg=logfmt
        - | - | 2026-11-23T06:25:57.8Z  WARN handle{id=1}: tr: tracing
        - | - | [2026-11-23 06:33:59,687] [INFO] [name] other
        - | - | thread 'main' panicked at src/upstream.rs:42:

        Json
        - | - | id=7 status=502
        W | - | json
        - | - | status=502 elapsed=2ms
        - | - | time=1763879157 level=error msg=logfmt
        - | - | 2026-11-23T06:25:57.8Z  WARN handle{id=1}: tr: tracing
        - | - | [2026-11-23 06:33:59,687] [INFO] [name] other
        E | - | thread 'main' panicked at src/upstream.rs:42:

        Logfmt
        - | - | {"id":7,"status":502}
        - | - | {"level":"warn","msg":"json"}
        - | - | status=502 elapsed=2ms
        E | 2025-11-23T06:25:57Z | logfmt
        - | - | 2026-11-23T06:25:57.8Z  WARN handle{id=1}: tr: tracing
        - | - | [2026-11-23 06:33:59,687] [INFO] [name] other
        E | - | thread 'main' panicked at src/upstream.rs:42:

        Tracing
        - | - | {"id":7,"status":502}
        W | - | json
        - | - | status=502 elapsed=2ms
        - | - | time=1763879157 level=error msg=logfmt
        W | 2026-11-23T06:25:57.8Z | handle{id=1}: tr: tracing
        I | 2026-11-23 06:33:59,687 | [name] other
        E | - | thread 'main' panicked at src/upstream.rs:42:
        "#);
        assert!(present(lines[2].as_bytes()).text() == lines[2], "nobody said that these are fields");
    }

    #[test]
    fn lines_without_a_head_stay_as_they_are() {
        insta::assert_snapshot!(seen(&[
            "Received MCP POST request",
            "Session initialized with ID: 56643a0f",
            "12:00:01is when it began",
            "12 monkeys",
            "[ping] works",
            "info is not a level here",
            "Error handling is fine",
            "INFORMATION DESK",
            "",
            "   indented",
            "[unclosed",
            "\u{274c} Failed \u{1f4cb} Context: x",
        ]), @r##"
        - | - | Received MCP POST request
        - | - | Session initialized with ID: 56643a0f
        - | - | 12:00:01is when it began
        - | - | 12 monkeys
        - | - | [ping] works
        - | - | info is not a level here
        - | - | Error handling is fine
        - | - | INFORMATION DESK
        - | - | 
        - | - |    indented
        - | - | [unclosed
        - | - | ❌ Failed 📋 Context: x
        "##);
    }
}
