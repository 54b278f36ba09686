//! `--report junit=FILE`: a run as CI systems show it (Jenkins, GitLab, and who reads their format).
//!
//! Tests and expectations are test cases; a service or task that failed is one with an error, as are leaks and a run that
//! came to no verdict of its own (timed out, never started). What a test said last stands in its `system-out` and
//! `system-err`.

use std::fmt::Write;

use super::report::{ProcessReport, Report};
use crate::{
    logs::{LogStore, LogView, Selection, Source, plain},
    model::{Verdict, exit_code},
};

/// Lines of a test that are repeated.
const LAST_LINES: u64 = 200;

/// A test case on its way.
#[derive(Debug, Default)]
struct Case {
    class: String,
    name: String,
    /// In milliseconds.
    time: u64,
    result: Option<(Kind, String)>,
    out: String,
    err: String,
}

/// Why a test case did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failure,
    Error,
    Skipped,
}

impl Kind {
    fn element(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

/// The document, from the report of the same run.
pub(super) fn junit(report: &Report, logs: Option<&LogStore>) -> String {
    let mut cases: Vec<Case> = report.processes.iter().filter_map(|process| case_of(report, process, logs)).collect();
    for expectation in &report.expectations {
        cases.push(Case {
            class: format!("{}.{}", report.scenario, expectation.expected.process),
            name: expectation.expected.words(),
            time: expectation.at_ms.unwrap_or(report.duration_ms),
            result: match expectation.met {
                Some(true) => None,
                Some(false) => Some((Kind::Failure, format!("violated: {}", expectation.detail))),
                None => Some((Kind::Skipped, "the run ended before".into())),
            },
            ..Case::default()
        });
    }
    let leaks: Vec<_> = report.leaks.iter().map(|leak| format!("{}: {}", leak.process, leak.command)).collect();
    if !leaks.is_empty() {
        let result = Some((Kind::Error, leaks.join("\n")));
        cases.push(Case { class: report.scenario.clone(), name: "nothing leaks".into(), result, ..Case::default() });
    }
    let told = |kind: Kind| cases.iter().any(|case| case.result.as_ref().is_some_and(|(of, _)| *of == kind));
    // A run that passed may still have ended with another code.
    let bad = !matches!(report.verdict, Verdict::Passed | Verdict::Stopped) || report.exit_code == exit_code::TEST_FAILED;
    if bad && !told(Kind::Failure) && !told(Kind::Error) || matches!(report.verdict, Verdict::TimedOut | Verdict::Error) {
        let result = Some((Kind::Error, report.reason.clone()));
        cases.push(Case { class: report.scenario.clone(), name: "the run".into(), time: report.duration_ms, result, ..Case::default() });
    }
    document(report, &cases)
}

/// The test case of a process; services and tasks have one only if they failed.
fn case_of(report: &Report, process: &ProcessReport, logs: Option<&LogStore>) -> Option<Case> {
    let test = process.role == "test";
    let how = match (process.exit_code, &process.signal) {
        (Some(code), _) => format!("{}: exited with {code}", process.state),
        (None, Some(signal)) => format!("{}: killed by {signal}", process.state),
        (None, None) => process.state.to_owned(),
    };
    let result = match process.state {
        "completed" => None,
        "failed" | "gave-up" => Some((if test { Kind::Failure } else { Kind::Error }, how)),
        "stopped" if report.exit_code == 1 => Some((Kind::Failure, how)),
        _ => Some((Kind::Skipped, how)),
    };
    if !test && !matches!(result, Some((Kind::Error, _))) {
        return None;
    }
    let (out, err) = logs.map(|logs| last_lines(logs, &process.name)).unwrap_or_default();
    let time = process.lived_ms.unwrap_or(0);
    Some(Case { class: report.scenario.clone(), name: process.name.clone(), time, result, out, err })
}

/// What a process said last, on each of its streams.
fn last_lines(logs: &LogStore, name: &str) -> (String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    let Some(process) = logs.processes().into_iter().find(|process| process.as_str() == name) else { return (out, err) };
    let mut view = LogView::new(Selection::Some(vec![process.clone()])).without_lifecycle();
    view.refresh(logs);
    let from = view.len().saturating_sub(LAST_LINES);
    if from > 0 {
        let _ = writeln!(out, "… {from} lines before, see the recording");
    }
    for line in view.window(logs, from, LAST_LINES as usize).unwrap_or_default() {
        let text = if line.source == Source::Err { &mut err } else { &mut out };
        let _ = writeln!(text, "{}", super::ci::disarm(&plain(&line.bytes)));
    }
    (out, err)
}

fn document(report: &Report, cases: &[Case]) -> String {
    let count = |kind: Kind| cases.iter().filter(|case| case.result.as_ref().is_some_and(|(of, _)| *of == kind)).count();
    let (failures, errors, skipped) = (count(Kind::Failure), count(Kind::Error), count(Kind::Skipped));
    let time = seconds(report.duration_ms);
    let name = escaped(&report.scenario);
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{time}\"", cases.len());
    let started = report.started.as_deref().map_or(String::new(), |at| format!(" timestamp=\"{}\"", escaped(at.get(..19).unwrap_or(at))));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"{name}\" {counts}>");
    let _ = writeln!(xml, "  <testsuite name=\"{name}\" {counts} skipped=\"{skipped}\"{started}>");
    for case in cases {
        write_case(&mut xml, case);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn write_case(xml: &mut String, case: &Case) {
    let (class, name, time) = (escaped(&case.class), escaped(&case.name), seconds(case.time));
    let _ = writeln!(xml, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\">");
    if let Some((kind, why)) = &case.result {
        let (element, message) = (kind.element(), escaped(why.lines().next().unwrap_or_default()));
        let kind = if *kind == Kind::Skipped { String::new() } else { format!(" type=\"{element}\"") };
        let _ = writeln!(xml, "      <{element} message=\"{message}\"{kind}>{}</{element}>", escaped(why));
    }
    for (element, text) in [("system-out", &case.out), ("system-err", &case.err)] {
        if !text.is_empty() {
            let _ = writeln!(xml, "      <{element}>{}</{element}>", escaped(text));
        }
    }
    xml.push_str("    </testcase>\n");
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Text as XML 1.0 allows it, in elements and in attributes: what it knows no way to write is left out.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => xml.push(c),
            _ => {}
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        assert_eq!(escaped("a<b>&\"c\"\u{0}\u{1b}[31m\u{8}\u{fffe}\u{ffff}é\n\t🎈"), "a&lt;b&gt;&amp;&quot;c&quot;[31mé\n\t🎈");
    }

    #[test]
    fn a_run_that_never_started_is_an_error_that_ci_systems_count() {
        let report = Report::error("broken", "error: no <process>\n --> x.toml:1:1");
        insta::assert_snapshot!(junit(&report, None), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="broken" tests="1" failures="0" errors="1" time="0.000">
          <testsuite name="broken" tests="1" failures="0" errors="1" time="0.000" skipped="0">
            <testcase classname="broken" name="the run" time="0.000">
              <error message="error: no &lt;process&gt;" type="error">error: no &lt;process&gt;
         --&gt; x.toml:1:1</error>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
