//! Recorded and child-made text as one line that any terminal may be given.

use std::borrow::Cow;

/// `text` without anything that acts on a terminal: runs of line breaks and tabs become one blank, control characters
/// their pictures (`␛`), characters that disguise their neighbours (C1 controls, bidirectional overrides, tags) a `�`.
///
/// Captured lines take another way (`logs::plain`), which knows escape sequences. This is for the texts of events,
/// manifests and errors, which hold command lines, paths and messages of strangers.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() || is_disguised(c)) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    let mut broken = false;
    for c in text.chars() {
        let breaks = matches!(c, '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}');
        match c {
            _ if breaks => {
                if !broken && !line.is_empty() {
                    line.push(' ');
                }
            }
            '\0'..' ' => line.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\x7f' => line.push('\u{2421}'),
            c if c.is_control() || is_disguised(c) => line.push('\u{fffd}'),
            c => line.push(c),
        }
        broken = breaks;
    }
    Cow::Owned(line)
}

/// The same where the text is kept; nothing is copied if there is nothing to change.
pub(crate) fn make_one_line(text: &mut String) {
    if let Cow::Owned(line) = one_line(text) {
        *text = line;
    }
}

/// Characters that no terminal shows as themselves or that change how their neighbours are shown: C1 controls, line and
/// paragraph separators, bidirectional overrides, tag characters.
fn is_disguised(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_line_already_is_left_alone() {
        assert!(matches!(one_line("exec: `nginx` was not found in PATH → 🦀"), Cow::Borrowed(_)));
    }

    #[test]
    fn breaks_are_folded_and_controls_show() {
        assert_eq!(one_line("a\r\n\tb\n"), "a b ");
        assert_eq!(one_line("\x1b]0;t\x07\x1b[31mred\x7f"), "␛]0;t␇␛[31mred␡");
        assert_eq!(one_line("c1 \u{9b}31m rtl \u{202e}x tag \u{e0041}"), "c1 \u{fffd}31m rtl \u{fffd}x tag \u{fffd}");
    }

    #[test]
    fn it_agrees_with_what_the_log_shows_about_what_may_be_shown() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| !"\u{8}\n\r\t\u{1b}\u{85}\u{2028}\u{2029}".contains(*c)) {
            let text = format!("a{c}b");
            assert_eq!(one_line(&text), crate::logs::plain(text.as_bytes()), "{c:?}");
        }
    }
}
