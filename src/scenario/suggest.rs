//! "Did you mean": the nearest of the words that would have been right.

/// The candidate nearest to `wrong`, if one is near enough to be meant.
///
/// Swapped letters count as one edit; `-`, `_` and case do not count. A third of the letters may be wrong, as in rustc.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no typos of a key, and the distance is quadratic.
    if wrong.len() > 100 {
        return None;
    }
    let plain = |s: &str| s.to_lowercase().replace('-', "_");
    let wrong = plain(wrong);
    let limit = wrong.chars().count().max(3) / 3;
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

/// `did you mean \`x\`?`, or nothing.
pub(super) fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wrong, candidates).map(|right| format!("did you mean `{right}`?"))
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
        assert_eq!(near(""), None);
        assert_eq!(near(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn control_characters_never_pass() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 61);
    }
}
