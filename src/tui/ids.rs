//! Long ids, shortened in the middle for the screen: `6f1b…c2`. Copies, searches and exports keep them whole.

use std::borrow::Cow;

use crate::logs::ids;

/// `text` with its long ids shortened. `narrow`: a span's field that is nothing but such an id loses its name
/// (`handle{session_id="6f1b…c2"}` becomes `handle{6f1b…c2}`).
pub(crate) fn shorten<'t>(text: &'t str, narrow: bool, ellipsis: &str) -> Cow<'t, str> {
    let ids = ids(text);
    if ids.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut short = String::with_capacity(text.len());
    let mut end = 0;
    for id in ids {
        let mut before = &text[end..id.start];
        let mut after = id.end;
        if narrow
            && text[after..].starts_with("\"}")
            && let Some(open) = before.rfind('{')
            && before[open + 1..].strip_suffix("=\"").is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        {
            before = &before[..=open];
            after += 1;
        }
        short.push_str(before);
        short.push_str(&text[id.start..id.start + 4]);
        short.push_str(ellipsis);
        short.push_str(&text[id.end - 2..id.end]);
        end = after;
    }
    short.push_str(&text[end..]);
    Cow::Owned(short)
}

/// `shown`, a part of the shortened `text`, with its ids whole again: what is copied is what was written.
pub(crate) fn lengthen(shown: &str, text: &str, ellipsis: &str) -> String {
    ids(text).into_iter().fold(shown.to_owned(), |shown, id| {
        let id = &text[id];
        shown.replace(&format!("{}{ellipsis}{}", &id[..4], &id[id.len() - 2..]), id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lose_their_middle_and_words_do_not() {
        let short = |text| shorten(text, false, "…").into_owned();
        assert_eq!(short("session=6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2 id=17"), "session=6f1b…c2 id=17");
        assert_eq!(short("trace 4bf92f3577b34da6a3ce929d0e0e4736."), "trace 4bf9…36.");
        assert_eq!(short("key sk1aB2cD3eF4gH5iJ6kL7mN8 used"), "key sk1a…N8 used");
        for kept in [
            "at 1700000000000000000 ns",
            "internationalization-of-everything",
            "a-very-long-hyphenated-word-2",
            "deadbeef",
            "----------------------",
        ] {
            assert_eq!(short(kept), kept);
        }
    }

    #[test]
    fn what_was_shortened_is_copied_whole() {
        let text = "session=6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2 id=17";
        assert_eq!(lengthen("6f1b…c2 id", text, "…"), "6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2 id");
        assert_eq!(lengthen("id=17", text, "…"), "id=17");
    }

    #[test]
    fn in_a_narrow_row_a_field_that_is_only_an_id_loses_its_name() {
        let text = "handle{session_id=\"6f1b8a529c1d4f0e8a7710de2bf900c2\"}: up";
        assert_eq!(shorten(text, true, "…"), "handle{6f1b…c2}: up");
        assert_eq!(shorten(text, false, "…"), "handle{session_id=\"6f1b…c2\"}: up");
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in ".*|[0-9a-f{}\"=-]{0,80}") {
            shorten(&text, true, "…");
        }
    }
}
