//! "Did you mean": the nearest of the words that would have been right.

/// The candidate nearest to `wrong`, if one is near enough to be meant.
///
/// Swapped letters count as one edit; `-`, `_` and case do not count. A third of the letters may be wrong.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no typos of a key, and the distance is quadratic.
    if wrong.len() > 100 {
        return None;
    }
    let plain = |s: &str| s.to_lowercase().replace('-', "_");
    let wrong = plain(wrong);
    let limit = wrong.chars().count() / 3;
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wrong, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= limit || same_words(&wrong, &plain(candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `delay_response` for `response_delay`; a plural or a unit more (`timeouts`, `interval_ms`).
fn same_words(a: &str, b: &str) -> bool {
    let words = |s: &str| {
        let mut words: Vec<String> = s.split('_').map(str::to_owned).collect();
        words.sort();
        words
    };
    (a.contains('_') && words(a) == words(b)) || (b.len() >= 4 && a.strip_prefix(b).is_some_and(|rest| rest.starts_with('_')))
}

/// The question whether the nearest was meant, if one is near.
pub(super) fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wrong, candidates).map(|right| format!("did you mean `{right}`?"))
}

/// What other tools call our keys. The first that is a key of the table at hand is meant.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("alerts", &["alert"]),
    ("args", &["command", "argv"]),
    ("availability", &["restart"]),
    ("cmd", &["command"]),
    ("condition", &["is"]),
    ("depends", &["depends_on"]),
    ("dir", &["cwd"]),
    ("env_file", &["env"]),
    ("environment", &["env"]),
    ("exec", &["command"]),
    ("healthcheck", &["health"]),
    ("initial_delay", &["start_period"]),
    ("instances", &["replicas"]),
    ("kill_timeout", &["grace"]),
    ("liveness_probe", &["health"]),
    ("max_restarts", &["max_attempts"]),
    ("max_retries", &["max_attempts", "failures"]),
    ("mem", &["memory"]),
    ("needs", &["depends_on"]),
    ("nofile", &["open_files"]),
    ("path", &["cwd"]),
    ("period", &["interval"]),
    ("port", &["listens", "tcp"]),
    ("ports", &["listens"]),
    ("processes", &["process"]),
    ("program", &["command"]),
    ("readiness_probe", &["ready"]),
    ("ready_log_line", &["ready"]),
    ("requires", &["depends_on"]),
    ("retries", &["failures", "max_attempts"]),
    ("run", &["command", "shell"]),
    ("scale", &["replicas"]),
    ("services", &["process"]),
    ("shutdown", &["stop"]),
    ("steps", &["step"]),
    ("tests", &["process"]),
    ("timeout", &["grace"]),
    ("url", &["http"]),
    ("variables", &["vars"]),
    ("workdir", &["cwd"]),
    ("working_dir", &["cwd"]),
    ("working_directory", &["cwd"]),
];

/// The key that was meant: the nearest, or what other tools call so.
pub(super) fn meant_key(wrong: &str, known: &[&str]) -> Option<String> {
    let synonym = || {
        let (_, keys) = SYNONYMS.iter().find(|(name, _)| wrong.eq_ignore_ascii_case(name))?;
        keys.iter().find(|key| known.contains(key)).map(|key| format!("here that is `{key}`"))
    };
    did_you_mean(wrong, known.iter().copied()).or_else(synonym)
}

/// `one of a, b or c`, for messages.
pub(super) fn list_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

/// Text of a user with control characters spelled out, safe on any terminal.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// The same, cut to what fits into a message.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", visible(&text[..end])),
        None => visible(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let keys = ["command", "depends_on", "ready", "restart", "response_delay", "timeout"];
        let near = |w| nearest(w, keys);
        assert_eq!(near("comand"), Some("command"));
        assert_eq!(near("depends-on"), Some("depends_on"));
        assert_eq!(near("dependson"), Some("depends_on"));
        assert_eq!(near("erady"), Some("ready"));
        assert_eq!(near("delay_response"), Some("response_delay"));
        assert_eq!(near("timeout_ms"), Some("timeout"));
        assert_eq!(near("colour"), None);
        assert_eq!((near(""), nearest("b", ["a"])), (None, None));
        assert_eq!(near(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn what_other_tools_call_a_key_is_understood() {
        let meant = |wrong| meant_key(wrong, &["cwd", "command", "env", "grace"]).unwrap_or_default();
        assert_eq!(meant("working_dir"), "here that is `cwd`");
        assert_eq!(meant("environment"), "here that is `env`");
        assert_eq!(meant("timeout"), "here that is `grace`");
        assert_eq!(meant("retries"), "");
        assert!(SYNONYMS.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn control_characters_never_pass() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 61);
    }
}
