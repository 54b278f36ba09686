//! Assertions: they panic with the lines that tell why.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use crate::logs::{Filter, Level, Lifecycle, LogLine, LogView, Query, Selection};

use super::{
    LogCapture, LogEntry, LogPattern,
    capture::{SHOWN, listed},
};

/// How long a line that is on its way may take to be read. Only an assertion that would fail waits for so long.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// When nothing was said for so long, all that was said is read.
const QUIET: Duration = Duration::from_millis(10);
/// One step of a search.
const STEP: Duration = Duration::from_millis(50);

impl LogCapture {
    /// Panics unless a line matches, and gives it back. A line that was said a moment ago may still be on its way, so this waits
    /// for up to half a second before it fails.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let line = harness.logs().assert_seen(r"listening on \d+");
    /// println!("{} after {:?}", line.process, line.at);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_seen(&self, pattern: impl Into<LogPattern>) -> LogEntry {
        let pattern = pattern.into();
        let mut scan = self.scan();
        let found = self.within(UNDER_WAY, || self.find_in(&mut scan, &pattern));
        // Not in a closure, which would tell of a place in here.
        let Some(entry) = found else {
            fail(&format!("{} should have said `{pattern}`", self.who()), &[self.context(), self.standing()].concat());
        };
        entry
    }

    /// Panics if a line matches. Waits until nothing has been said for 10 ms, at most half a second.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// harness.logs().assert_not_seen("panicked at");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_not_seen(&self, pattern: impl Into<LogPattern>) {
        let pattern = pattern.into();
        self.settle();
        let (mut first, mut count) = (Vec::new(), 0);
        let _: Option<()> = self.scan().visit(&self.store, |line, text| {
            if pattern.matches(text) {
                count += 1;
                first.extend((first.len() < SHOWN).then(|| LogEntry::of(line, &self.clock)).flatten());
            }
            ControlFlow::Continue(())
        });
        if count > 0 {
            let lines = self.around(&first, count);
            fail(&format!("{} said `{pattern}`", self.nobody("should", " have")), &lines);
        }
    }

    /// Panics unless there is a line for each of `patterns`, each said after the one before; other lines may stand between. Waits
    /// as [`assert_seen`](Self::assert_seen) does.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// harness.logs().assert_sequence(&["accepted", "forwarded", "answered"]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_sequence<P: Into<LogPattern> + Clone>(&self, patterns: &[P]) -> Vec<LogEntry> {
        let mut scan = self.scan();
        let mut found: Vec<LogEntry> = Vec::new();
        for pattern in patterns {
            let pattern = pattern.clone().into();
            if let Some(entry) = self.within(UNDER_WAY, || self.find_after(&mut scan, &pattern, found.last())) {
                found.push(entry);
                continue;
            }
            let seen = found.iter().map(ToString::to_string);
            let after = if found.is_empty() { "" } else { " after these lines" };
            let before = self.find(&pattern).map(|entry| format!("it was said earlier: {entry}"));
            let lines = seen.chain(before).chain(std::iter::once("the last lines:".to_owned()));
            let lines: Vec<_> = lines.chain(self.context()).chain(self.standing()).collect();
            fail(&format!("{} should have said `{pattern}`{after}", self.who()), &lines);
        }
        found
    }

    /// Panics if a line calls itself an error or looks like one: a panic, a trace back, a 5xx.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// harness.logs().assert_no_errors();
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_no_errors(&self) {
        self.assert_no_errors_but::<LogPattern>(&[]);
    }

    /// The same, but lines that match one of `expected` do not count.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// harness.logs().assert_no_errors_but(&["upstream refused", " 502 "]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_no_errors_but<P: Into<LogPattern> + Clone>(&self, expected: &[P]) {
        let expected: Vec<LogPattern> = expected.iter().map(|pattern| pattern.clone().into()).collect();
        self.settle();
        let errors = self.errors();
        let errors: Vec<_> = errors.into_iter().filter(|entry| !expected.iter().any(|pattern| pattern.matches(&entry.message))).collect();
        if !errors.is_empty() {
            let whose = if self.selection == Selection::All { String::new() } else { format!(" of {}", self.who()) };
            let many = if errors.len() == 1 {
                format!("1 line{whose} tells of an error")
            } else {
                format!("{} lines{whose} tell of errors", errors.len())
            };
            fail(&many, &self.around(&errors[..errors.len().min(SHOWN)], errors.len()));
        }
    }

    /// Lines that call themselves errors or look like ones.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// for entry in harness.logs().errors() {
    ///     println!("{entry}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn errors(&self) -> Vec<LogEntry> {
        let lifecycle = Lifecycle::Dropped;
        let alerts = Query { alerts: Some(Vec::new()), lifecycle, ..Query::default() };
        let levels = Query { level: Some(Level::Error), lifecycle, ..Query::default() };
        let mut filter = Filter::new(LogView::new(self.selection.clone()).without_lifecycle(), vec![alerts, levels]);
        // Files that cannot be read any more hold no errors that could be shown.
        while !filter.advance(&self.store, STEP).unwrap_or(true) {}
        let all = 0..filter.view().len();
        let mut rows: Vec<u64> = (0..2).flat_map(|n| filter.rows(n).iter(all.clone()).collect::<Vec<_>>()).collect();
        rows.sort_unstable();
        rows.dedup();
        let lines = filter.view().rows(&self.store, &rows).unwrap_or_default();
        lines.iter().filter_map(|line| LogEntry::of(line, &self.clock)).filter(|entry| entry.seq >= self.from).collect()
    }

    /// Looks until there is something, for at most `patience`.
    fn within<T>(&self, patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + patience;
        loop {
            let count = self.bell.count();
            self.store.arm();
            if let Some(found) = look() {
                return Some(found);
            }
            if !self.bell.wait_beyond(count, deadline.saturating_duration_since(Instant::now())) {
                return look();
            }
        }
    }

    /// Waits until nothing is said for a moment.
    fn settle(&self) {
        let deadline = Instant::now() + UNDER_WAY;
        loop {
            let count = self.bell.count();
            self.store.arm();
            if !self.bell.wait_beyond(count, QUIET) || Instant::now() >= deadline {
                return;
            }
        }
    }

    /// Each of the `first` of `count` lines, which are in order, marked, with the line before and after it.
    fn around(&self, first: &[LogEntry], count: usize) -> Vec<String> {
        let (mut lines, mut before, mut after, mut marked) = (Vec::new(), None, false, 0);
        // To take a line apart is much dearer than to pass it by.
        let told = |mark: &str, line: &LogLine| LogEntry::of(line, &self.clock).map(|entry| format!("{mark} {entry}"));
        let _: Option<()> = self.scan().visit(&self.store, |line, _| {
            if first.get(marked).is_some_and(|entry| entry.is_of(line)) {
                lines.extend(before.take().and_then(|line| told(" ", &line)));
                lines.extend(told(">", line));
                (after, marked) = (true, marked + 1);
            } else if after {
                lines.extend(told(" ", line));
                after = false;
            } else if marked < first.len() {
                before = Some(line.clone());
            }
            if marked == first.len() && !after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if count > first.len() {
            lines.push(format!("… and {} more", count - first.len()));
        }
        lines
    }
}

#[track_caller]
fn fail(what: &str, lines: &[String]) -> ! {
    panic!("{what}{}", listed(lines))
}
