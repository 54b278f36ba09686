//! Failures as annotations of GitHub Actions: shown beside the job and in the pull request.

use std::fmt::Write;

use super::report::Report;

/// GitHub shows so many of a step.
const MOST: usize = 10;

/// A line for each thing that went wrong, the worst first.
pub(super) fn annotations(report: &Report) -> String {
    if matches!(report.exit_code, 0 | 129..=143) {
        return String::new();
    }
    let mut all = vec![(report.verdict.badge().to_owned(), report.reason.clone())];
    if let Some(first) = &report.first_failure {
        let line = first.line.as_ref().map_or(String::new(), |line| format!(": {}", line.text));
        all.push(("first failure".into(), format!("{} {} at {} ms{line}", first.process, first.what, first.at_ms)));
    }
    for expectation in report.expectations.iter().filter(|expectation| expectation.met == Some(false)) {
        let expected = &expectation.expected;
        all.push(("expectation violated".into(), format!("{} {}: {}", expected.process, expected.words(), expectation.detail)));
    }
    for leak in &report.leaks {
        all.push(("leak".into(), format!("{}: {}", leak.process, leak.command)));
    }
    let mut text = String::new();
    for (title, message) in all.into_iter().take(MOST) {
        let title = format!("{}: {title}", report.scenario);
        let _ = writeln!(text, "::error title={}::{}", data(&title).replace(':', "%3A").replace(',', "%2C"), data(&message));
    }
    text
}

/// Text as a workflow command takes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_end_its_command_or_begin_another() {
        let report = Report::error("x", "100%\n::set-env name=A::b");
        assert_eq!(annotations(&report), "::error title=x%3A ERROR::100%25%0A::set-env name=A::b\n");
    }
}
