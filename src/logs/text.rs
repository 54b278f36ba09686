//! What of a child's bytes may be seen: text, and nothing that acts on a terminal.
//!
//! A line is walked as a terminal would walk it, but only colours survive, and only for those who ask. Complete escape
//! sequences vanish; incomplete ones, control characters, characters that reorder their neighbours and bytes that are no
//! UTF-8 become visible glyphs.

use std::fmt::Write;

/// A piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text without anything special in it.
    Text(&'a str),
    /// The stand-in for something that must not reach a terminal.
    Glyph(char),
    /// A tab.
    Tab,
    /// A carriage return: what follows is written over what was.
    Return,
    /// The parameters of an SGR sequence: `1;31`.
    Style(&'a str),
}

/// The longest control sequence (`ESC [ … m`) that is taken for one.
const MAX_CONTROL: usize = 256;

/// Characters that no terminal shows as themselves or that change how their neighbours are shown: C1 controls, line and
/// paragraph separators, bidirectional overrides, tag characters.
pub(super) fn is_disguised(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

/// Hands the pieces of `bytes` to `each`, in order.
pub(super) fn tokens<'a>(bytes: &'a [u8], each: &mut dyn FnMut(Token<'a>)) {
    for chunk in bytes.utf8_chunks() {
        valid(chunk.valid(), each);
        for _ in chunk.invalid().iter().take(1) {
            each(Token::Glyph('\u{fffd}'));
        }
    }
}

fn valid<'a>(text: &'a str, each: &mut dyn FnMut(Token<'a>)) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '\x7f' || c >= '\u{80}' && is_disguised(c)) {
        if at > 0 {
            each(Token::Text(&rest[..at]));
        }
        let special = &rest[at..];
        let c = special.chars().next().unwrap_or_default();
        rest = &special[c.len_utf8()..];
        match c {
            '\t' => each(Token::Tab),
            '\r' => each(Token::Return),
            '\x1b' => match escape(rest) {
                Some((style, len)) => {
                    if let Some(style) = style {
                        each(Token::Style(style));
                    }
                    rest = &rest[len..];
                }
                None => each(Token::Glyph(picture(c))),
            },
            _ => each(Token::Glyph(picture(c))),
        }
    }
    if !rest.is_empty() {
        each(Token::Text(rest));
    }
}

/// The escape sequence that goes on with `text`, if it is complete: its parameters if it is an SGR, and its length.
fn escape(text: &str) -> Option<(Option<&str>, usize)> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'[' => {
            let params = bytes[1..].iter().take(MAX_CONTROL).take_while(|b| (0x30..=0x3f).contains(*b)).count();
            let between = bytes[1 + params..].iter().take(8).take_while(|b| (0x20..=0x2f).contains(*b)).count();
            let last = bytes.get(1 + params + between).filter(|b| (0x40..=0x7e).contains(*b))?;
            let private = matches!(bytes.get(1), Some(b'<'..=b'?'));
            let style = (*last == b'm' && between == 0 && !private).then(|| &text[1..=params]);
            Some((style, params + between + 2))
        }
        kind @ (b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = if *kind == b']' { text.find('\x07').map(|at| at + 1) } else { None };
            let ends = [bell, text.find("\x1b\\").map(|at| at + 2), text.find('\u{9c}').map(|at| at + 2)];
            Some((None, ends.into_iter().flatten().min()?))
        }
        _ => {
            let between = bytes.iter().take(8).take_while(|b| (0x20..=0x2f).contains(*b)).count();
            bytes.get(between).filter(|b| (0x30..=0x7e).contains(*b))?;
            Some((None, between + 1))
        }
    }
}

/// What stands for a control character.
fn picture(c: char) -> char {
    match c {
        '\0'..' ' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        _ => '\u{fffd}',
    }
}

/// A line as text: no colours, no control characters but tabs; of a progress line its last state. This is what filters
/// and searches see, and what every output without colours prints.
pub fn plain(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut returned = false;
    tokens(bytes, &mut |token| {
        if returned && !matches!(token, Token::Return | Token::Style(_)) {
            text.clear();
            returned = false;
        }
        match token {
            Token::Text(piece) => text.push_str(piece),
            Token::Glyph(glyph) => text.push(glyph),
            Token::Tab => text.push('\t'),
            Token::Return => returned = true,
            Token::Style(_) => {}
        }
    });
    text
}

/// A line exactly as it was written, every byte of it visible: control characters as their pictures, bytes that are no
/// UTF-8 as `\xNN`.
pub fn verbatim(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if c < ' ' || c == '\x7f' => text.push(picture(c)),
                c if is_disguised(c) => write!(text, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string"),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("writing to a string");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn complete_sequences_vanish_and_others_show() {
        for (bytes, text) in [
            (&b"\x1b[1;31mred\x1b[0m"[..], "red"),
            (b"\x1b]0;title\x07after", "after"),
            (b"\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1bPq#0;2\x1b\\six", "six"),
            (b"\x1b_apc\x1b\\x", "x"),
            (b"\x1bcreset\x1b(B", "reset"),
            (b"\x1b[6n\x1b[?25l\x1b[2J\x1b[10;10Hhere", "here"),
            (b"\x1b]0;open title", "\u{241b}]0;open title"),
            (b"cut \x1b[31", "cut \u{241b}[31"),
            (b"nul\0bell\x07del\x7f", "nul\u{2400}bell\u{2407}del\u{2421}"),
            (b"\xc2\x9d52;c;x\xc2\x9b31m", "\u{fffd}52;c;x\u{fffd}31m"),
            (b"\x9b31m \xff", "\u{fffd}31m \u{fffd}"),
            (b" 10%\r 50%\r100%", "100%"),
            (b"done\r", "done"),
            (b"done\r\x1b[0m", "done"),
            (b"a\tb", "a\tb"),
            ("rtl \u{202e}override".as_bytes(), "rtl \u{fffd}override"),
            ("zwj 👩\u{200d}👧 ok".as_bytes(), "zwj 👩\u{200d}👧 ok"),
        ] {
            assert_eq!(plain(bytes), text, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn verbatim_hides_nothing() {
        assert_eq!(verbatim(b"\x1b[31mred\r\x1b]0;t\x07\xff\xc2\x9d\t"), "\u{241b}[31mred\u{240d}\u{241b}]0;t\u{2407}\\xff\\u{9d}\u{2409}");
    }

    proptest! {
        #[test]
        fn no_control_character_survives(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for text in [plain(&bytes), verbatim(&bytes)] {
                prop_assert!(!text.chars().any(|c| (c.is_control() && c != '\t') || is_disguised(c)), "{text:?}");
            }
        }

        #[test]
        fn text_without_anything_special_is_left_as_it_is(text in "[ -~\t\u{a0}-\u{6ff}]{0,80}") {
            prop_assume!(!text.chars().any(is_disguised));
            prop_assert_eq!(plain(text.as_bytes()), text);
        }
    }
}
