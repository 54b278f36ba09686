//! process-compose's probes.

use serde_json::Value;

use super::{
    draft::{Draft, Process},
    phrase::{Phrase, list, quoted, table},
    yaml::{environment, others, seconds, text, times},
};

/// Keys of a probe, besides the question.
const KNOWN: &[&str] =
    &["http_get", "exec", "initial_delay_seconds", "period_seconds", "timeout_seconds", "success_threshold", "failure_threshold"];
/// How often it asks where its file does not say.
const PERIOD: u64 = 10;
/// So many failures in a row are enough where its file does not say.
const FAILURES: u64 = 3;

type Entries = Vec<(&'static str, String)>;

/// `readiness_probe` as `ready`. It is stopped when its last chance is over, so that is how long it may take.
pub(super) fn readiness(probe: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let place = format!("{name}: readiness_probe: ");
    let Some(mut entries) = question(probe, &place, draft) else { return };
    let period = seconds(probe, "period_seconds", 1, &place, draft);
    let delay = seconds(probe, "initial_delay_seconds", 0, &place, draft);
    let failures = times(probe, "failure_threshold");
    entries.extend(period.map(|period| ("interval", duration(period))));
    if delay.is_some_and(|delay| delay > 0) || failures.is_some() {
        let chances = failures.unwrap_or(FAILURES).saturating_mul(period.unwrap_or(PERIOD));
        let most = delay.unwrap_or(0).saturating_add(chances).min(100 * 365 * 86_400);
        entries.push(("timeout", duration(most)));
    }
    if times(probe, "success_threshold").is_some_and(|n| n > 1) {
        draft.note(format!("{place}`success_threshold`: here the first good answer makes it ready"));
    }
    if probe.get("timeout_seconds").is_some_and(|seconds| seconds.as_u64() != Some(1)) {
        draft.note(format!("{place}`timeout_seconds`: here only readiness as a whole has a time limit"));
    }
    process.set("ready", table(entries));
}

/// `liveness_probe` as `health`.
pub(super) fn liveness(probe: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let place = format!("{name}: liveness_probe: ");
    let Some(mut entries) = question(probe, &place, draft) else { return };
    // Less than a second there means a second.
    for (theirs, ours, least) in
        [("period_seconds", "interval", 1), ("timeout_seconds", "timeout", 1), ("initial_delay_seconds", "start_period", 0)]
    {
        entries.extend(seconds(probe, theirs, least, &place, draft).map(|seconds| (ours, duration(seconds))));
    }
    entries.extend(times(probe, "failure_threshold").map(|n| ("failures", n.to_string())));
    entries.extend(times(probe, "success_threshold").map(|n| ("successes", n.to_string())));
    process.set("health", table(entries));
}

fn duration(seconds: u64) -> String {
    quoted(&format!("{seconds}s"))
}

/// What is asked. None: nothing that can be asked here, which was told.
fn question(probe: &Value, place: &str, draft: &mut Draft) -> Option<Entries> {
    others(probe, KNOWN, place, draft);
    if let Some(http) = probe.get("http_get") {
        return http_get(http, place, draft);
    }
    if let Some(line) = probe["exec"]["command"].as_str() {
        others(&probe["exec"], &["command"], &format!("{place}exec: "), draft);
        // There, `$$` is a dollar that the file's own expansion leaves alone.
        return Some(vec![("exec", list(["/bin/sh".to_owned(), "-c".to_owned(), line.replace("$$", "$")]))]);
    }
    draft.note(format!("{place}it neither asks over HTTP nor runs a command"));
    None
}

fn http_get(http: &Value, place: &str, draft: &mut Draft) -> Option<Entries> {
    others(http, &["host", "scheme", "path", "port", "status_code", "headers"], &format!("{place}http_get: "), draft);
    let part = |key: &str, default: &str| {
        Phrase::expanded(&text(&http[key]).filter(|text| !text.is_empty()).unwrap_or(default.to_owned())).or(default)
    };
    let (host, port, path) = (part("host", "127.0.0.1"), part("port", "80"), part("path", "/"));
    if part("scheme", "http").sample().eq_ignore_ascii_case("https") {
        draft.note(format!("{place}it asks over HTTPS: here, whether the port takes connections"));
        let addr = host.and(":").then(port);
        let sample = addr.sample();
        let fits = sample.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !fits {
            draft.note(format!("{place}{sample} is no address"));
        }
        return fits.then(|| vec![("tcp", addr.toml())]);
    }
    let slash = if path.sample().starts_with('/') { "" } else { "/" };
    let url = Phrase::literal("http://").then(host).and(":").then(port).and(slash).then(path);
    if reqwest::Url::parse(&url.sample()).is_err() {
        draft.note(format!("{place}{} is no URL", url.sample()));
        return None;
    }
    let mut entries = vec![("http", url.toml())];
    let headers = environment(http.get("headers"), place, draft);
    let headers: Vec<_> = headers.iter().filter(|(name, value)| is_header(name, value, place, draft)).collect();
    if !headers.is_empty() {
        entries.push(("headers", table(headers.iter().map(|(name, value)| (name.as_str(), Phrase::expanded(value).toml())))));
    }
    match http["status_code"].as_u64() {
        Some(status @ 100..=599) => entries.push(("expect", status.to_string())),
        Some(0) | None => {}
        Some(other) => draft.note(format!("{place}{other} is no status")),
    }
    Some(entries)
}

fn is_header(name: &str, value: &str, place: &str, draft: &mut Draft) -> bool {
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let is_one = is_name && reqwest::header::HeaderValue::from_str(value).is_ok();
    if !is_one {
        draft.note(format!("{place}`{name}` is no header"));
    }
    is_one
}
