//! A check by an HTTP request.

use std::{fmt, time::Duration};

use super::{INTERVAL, TIMEOUT, built_in::built_in};
use crate::model::{HttpProbe, Probe, Text};

/// An HTTP request that must be answered with a status. No redirects, no proxy, the body read to 10 KiB.
///
/// ```no_run
/// # async fn example() {
/// use e2e_tui::harness::{HealthCheck, HealthStatus, HttpHealthCheck};
///
/// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health").expected_status(204);
/// assert_eq!(check.check().await, Ok(HealthStatus::Healthy));
/// # }
/// ```
#[derive(Clone)]
pub struct HttpHealthCheck {
    url: String,
    expected_status: u16,
    headers: Vec<(String, String)>,
    interval: Duration,
    timeout: Duration,
}

impl fmt::Debug for HttpHealthCheck {
    /// Without the values of its headers: tokens live there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("HttpHealthCheck")
            .field("url", &self.url)
            .field("expected_status", &self.expected_status)
            .field("headers", &headers)
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .finish()
    }
}

impl HttpHealthCheck {
    /// A GET that must be answered with 200.
    ///
    /// ```no_run
    /// use e2e_tui::harness::HttpHealthCheck;
    /// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health");
    /// ```
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), expected_status: 200, headers: Vec::new(), interval: INTERVAL, timeout: TIMEOUT }
    }

    /// The status it must be answered with.
    ///
    /// ```no_run
    /// use e2e_tui::harness::HttpHealthCheck;
    /// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health").expected_status(204);
    /// ```
    #[must_use]
    pub fn expected_status(mut self, status: u16) -> Self {
        self.expected_status = status;
        self
    }

    /// Sends a header along.
    ///
    /// ```no_run
    /// use e2e_tui::harness::HttpHealthCheck;
    /// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health").header("Authorization", "Bearer x");
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn to_probe(&self) -> Probe {
        Probe::Http(HttpProbe {
            url: self.url.as_str().into(),
            method: "GET".into(),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), Text::from(value.as_str()))).collect(),
            body: None,
            expect: vec![self.expected_status],
            expect_body: None,
        })
    }
}

built_in!(HttpHealthCheck, "HttpHealthCheck::new(\"http://127.0.0.1:8080/health\")");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_shown() {
        let check = HttpHealthCheck::new("http://127.0.0.1:1/health").header("Authorization", "Bearer s3cret-token");
        let shown = format!("{check:?}");
        assert!(shown.contains("Authorization") && !shown.contains("s3cret"), "{shown}");
        let builder = crate::harness::E2ETestHarness::builder().secret("s3cret-token").var("token", "s3cret-token");
        assert!(!format!("{builder:?}").contains("s3cret"), "{builder:?}");
    }
}
