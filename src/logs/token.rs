//! What lines of several processes share: session ids, request ids, ids of JSON-RPC calls.
//!
//! An id of its own (a UUID, a long number) is looked for as it stands. A JSON-RPC id is a small number that every session
//! counts anew, so it is looked for as an id, and beside the session that its line names.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    query::{Pattern, Query},
    structure::pattern,
};

/// Something in a line that other lines may hold too.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Where it stands in the line's text.
    pub place: Range<usize>,
    /// What it is.
    pub text: String,
    /// What tells it from others like it.
    pub kind: TokenKind,
}

/// What tells a token from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// It is unlike any other: a UUID, a long hexadecimal number, a long run of letters and digits.
    Unique,
    /// The value of a field.
    Value,
    /// The id of a JSON-RPC message; it counts within its session, if its line names one.
    Call {
        /// The session's id.
        session: Option<String>,
    },
}

impl Token {
    /// What a line must hold to share it.
    pub fn query(&self) -> Query {
        let within = match &self.kind {
            TokenKind::Unique | TokenKind::Value => vec![Pattern::text(&self.text)],
            TokenKind::Call { session } => {
                let id = regex::escape(&self.text);
                let call = Pattern::regex(&format!(
                    r#"(?:"id"\s*:\s*|\b(?:[a-z]+[_.-])?id\\?"?\s?[=:#]\s*\\?"?|\brequest\s+#?)"?{id}(?:$|[^\w.-]|[.](?:\s|$))"#
                ));
                std::iter::once(call).chain(session.as_deref().map(Pattern::text)).collect()
            }
        };
        Query { within: within.into_iter().flatten().collect(), ..Query::default() }
    }
}

/// Shorter ones are read as they are.
const LONG: usize = 16;

/// Longer values are texts, which nobody else repeats.
const MAX_VALUE: usize = 80;

/// The places of long ids in `text`: UUIDs, long hexadecimal numbers, and long runs of letters and digits mixed.
pub fn ids(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count();
        if run == 0 {
            at += 1;
            continue;
        }
        let token = &text[at..at + run];
        let bare = token.trim_matches('-');
        let start = at + token.len() - token.trim_start_matches('-').len();
        if is_id(bare) {
            found.push(start..start + bare.len());
        }
        at += run;
    }
    found
}

fn is_id(token: &str) -> bool {
    if token.len() < LONG {
        return false;
    }
    let uuid = token.len() == 36
        && token.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() });
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let letters = token.bytes().filter(u8::is_ascii_alphabetic).count();
    let hex = digits + letters == token.len() && token.bytes().all(|b| b.is_ascii_hexdigit());
    // Words of any length hold few digits, times and amounts few letters.
    let mixed = token.len() >= 20 && digits + letters == token.len() && digits * 5 >= token.len();
    uuid || ((hex || mixed) && digits > 0 && letters > 0)
}

/// What other lines could share with this one, most telling first: long ids, then ids of calls, then values of fields and
/// numbers of some length.
pub fn tokens(text: &str) -> Vec<Token> {
    let token = |place: Range<usize>, kind| Token { text: text[place.clone()].to_owned(), place, kind };
    let mut found: Vec<Token> = ids(text).into_iter().map(|place| token(place, TokenKind::Unique)).collect();
    let session = session_in(text).map(|place| text[place].to_owned());
    for call in calls_in(text) {
        add(&mut found, token(call, TokenKind::Call { session: session.clone() }));
    }
    if let Some(place) = session_in(text) {
        add(&mut found, token(place, TokenKind::Value));
    }
    let mut at = 0;
    for word in text.split(|c: char| c.is_whitespace() || "\"'(),;[]{}".contains(c)) {
        let value = word.split_once('=').map_or(word, |(_, value)| value);
        let start = at + word.len() - value.len();
        let value = value.trim_end_matches(['.', ':']);
        let telling = (word.contains('=') && value.len() >= 2) || (value.len() >= 3 && value.bytes().any(|b| b.is_ascii_digit()));
        if telling && value.len() <= MAX_VALUE {
            add(&mut found, token(start..start + value.len(), TokenKind::Value));
        }
        // Everything that is split at is one byte long, but for some blanks.
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

/// The token under the cursor: the one at byte `at` of `text`.
pub fn token_at(text: &str, at: usize) -> Option<Token> {
    tokens(text).into_iter().find(|token| token.place.contains(&at))
}

fn add(found: &mut Vec<Token>, token: Token) {
    let known = |other: &Token| other.text == token.text || other.place.start < token.place.end && token.place.start < other.place.end;
    if !found.iter().any(known) {
        found.push(token);
    }
}

/// The value of the first field that names a session.
fn session_in(text: &str) -> Option<Range<usize>> {
    static SESSION: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#"(?i)\b(?:mcp-)?session(?:[_-]?id)?\\?"?\s?(?:=|: ?|\s(?:initialized )?with id: )\\?["']?([\w-]{4,80})"#)
    });
    SESSION.captures(text)?.get(1).map(|value| value.range())
}

/// Ids of JSON-RPC messages: numbers, since other ids are unlike each other anyway.
fn calls_in(text: &str) -> impl Iterator<Item = Range<usize>> {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#"(?:"id"\s*:\s*"?|\b(?:(?:rpc|jsonrpc|request|req|msg|message)[_.-]?)?id=\\?"?)(\d{1,12})(?:$|[^\w.-]|[.](?:\s|$))"#)
    });
    CALL.captures_iter(text).filter_map(|found| found.get(1).map(|id| id.range()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2";

    fn told(text: &str) -> Vec<String> {
        let kind = |token: &Token| match &token.kind {
            TokenKind::Unique => "unique".to_owned(),
            TokenKind::Value => "value".to_owned(),
            TokenKind::Call { session } => format!("call of {}", session.as_deref().unwrap_or("?")),
        };
        let tell = |token: Token| {
            assert_eq!(text[token.place.clone()], token.text);
            format!("{} {}", token.text, kind(&token))
        };
        tokens(text).into_iter().map(tell).collect()
    }

    #[test]
    fn tokens_are_what_lines_share() {
        assert_eq!(
            told(&format!("session={SESSION} id=17 tools/call echo took 3 ms")),
            [format!("{SESSION} unique"), format!("17 call of {SESSION}")]
        );
        assert_eq!(told(r#"recv {"jsonrpc":"2.0","id":5,"method":"ping"} n"#), ["5 call of ?", "2.0 value"]);
        assert_eq!(told("handle{session_id=\"abcd\"}: tr: status=502"), ["abcd value", "502 value"]);
        assert_eq!(told("trace 4bf92f3577b34da6a3ce929d0e0e4736."), ["4bf92f3577b34da6a3ce929d0e0e4736 unique"]);
        assert!(tokens("nothing to share here").is_empty());
    }

    #[test]
    fn a_call_is_found_as_an_id_of_its_session_only() {
        let text = format!("session={SESSION} id=17 sent");
        let call = token_at(&text, text.find("17").expect("it is there")).expect("a token");
        let query = call.query();
        let shares = |line: &str| query.within.iter().all(|pattern| pattern.matches(line));
        for line in [
            format!(r#"{SESSION} got {{"jsonrpc":"2.0","id":17,"result":{{}}}}"#),
            format!("{SESSION} request 17 done"),
            format!("rpc_id=17 of {SESSION}"),
            format!("{SESSION} id: 17."),
        ] {
            assert!(shares(&line), "{line}");
        }
        for line in [
            r#"{"jsonrpc":"2.0","id":17}"#.to_owned(),
            format!("{SESSION} id=170"),
            format!("{SESSION} id=17.5"),
            format!("{SESSION} took 17 ms"),
            format!("{SESSION} userid 17"),
        ] {
            assert!(!shares(&line), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_token_finds_its_own_line(text in r#"(session=|id=|"id":|[a-f0-9-]{1,20}|[ ,."=:{}]|é|\u{2003}|6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2|\d{1,4}){0,12}"#) {
            for token in tokens(&text) {
                proptest::prop_assert_eq!(&text[token.place.clone()], token.text.as_str());
                let query = token.query();
                proptest::prop_assert!(!query.within.is_empty());
                proptest::prop_assert!(query.within.iter().all(|pattern| pattern.matches(&text)), "{:?} in {:?}", token, text);
            }
        }
    }
}
