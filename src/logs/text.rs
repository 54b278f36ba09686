//! What of a child's bytes may be seen: text, and nothing that acts on a terminal.
//!
//! A line is walked as a terminal would walk it, but only colours survive, and only for those who ask. Complete escape
//! sequences vanish; incomplete ones, control characters, characters that reorder their neighbours and bytes that are no
//! UTF-8 become visible glyphs.

use std::{fmt::Write, ops::Range};

use super::overtype::{Edit, Overtyped};

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
    /// The cursor goes elsewhere in the line, or takes something away there.
    Edit(Edit, usize),
    /// The parameters of an SGR sequence: `1;31`.
    Style(&'a str),
}

/// The longest control sequence (`ESC [ … m`) that is taken for one.
const MAX_CONTROL: usize = 256;

/// Bytes looked at together: as many as stay at hand from one look to the next.
const BLOCK: usize = 4096;

/// Characters of a line that events and last words carry.
const MAX_SHORT: usize = 500;

/// Characters that no terminal shows as themselves or that change how their neighbours are shown: C1 controls, line and
/// paragraph separators, bidirectional overrides, tag characters.
pub(super) fn is_disguised(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether what is shown of `bytes` differs from them: control characters (but tab and newline), escape sequences, bytes
/// that are no UTF-8. A character that is split between chunks does not count.
pub(super) fn is_rough(bytes: &[u8], continues: bool) -> bool {
    survey(bytes, continues).1
}

/// How many newlines `bytes` hold, and whether they are rough.
pub(super) fn survey(bytes: &[u8], continues: bool) -> (u64, bool) {
    // Plain ASCII first, without an early exit: that runs at memory speed. Most output is nothing else.
    let doubtful = |b: u8| (u8::from(b.cast_signed() < 0x20) & u8::from(b != b'\n')) | u8::from(b == 0x7f);
    let odd = |b: u8| (u8::from(b < 0x20) & u8::from(b != b'\n') & u8::from(b != b'\t')) | u8::from(b == 0x7f);
    let (mut newlines, mut seen, mut high) = (0, 0, 0);
    for block in bytes.chunks(BLOCK) {
        newlines += memchr::memchr_iter(b'\n', block).count() as u64;
        if block.iter().fold(0, |seen, &b| seen | doubtful(b)) != 0 {
            (seen, high) = block.iter().fold((seen, high), |(seen, high), &b| (seen | odd(b), high | b));
        }
    }
    (newlines, seen != 0 || high >= 0x80 && is_disguising(bytes, continues))
}

/// Whether bytes above ASCII are no text, or such text as must not reach a terminal.
fn is_disguising(bytes: &[u8], continues: bool) -> bool {
    let split = if continues { bytes.iter().take(3).take_while(|b| (0x80..0xc0).contains(*b)).count() } else { 0 };
    let text = match str::from_utf8(&bytes[split..]) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&bytes[split..split + error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return true,
    };
    text.chars().any(is_disguised)
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
    let mut ends = Ends::default();
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
            '\x08' => each(Token::Edit(Edit::Back, 1)),
            '\x1b' => match escape(text, text.len() - rest.len(), &mut ends) {
                Some((style, len)) => {
                    match style {
                        Some(style) => each(Token::Style(style)),
                        None => Edit::of(&rest[..len]).into_iter().for_each(|(edit, count)| each(Token::Edit(edit, count))),
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

/// Where the strings that an escape sequence can begin (titles, clipboards, images) may end: looked up once for many
/// beginnings, or a line of nothing but beginnings would take a square of its length.
#[derive(Default)]
struct Ends {
    bell: Option<usize>,
    other: Option<usize>,
}

impl Ends {
    /// The end of a string that begins at `from`; a bell ends only some.
    fn after(&mut self, text: &str, from: usize, bell: bool) -> Option<usize> {
        let next = |known: &mut Option<usize>, find: &dyn Fn(&str) -> Option<usize>| {
            if known.is_none_or(|end| end < from) {
                *known = Some(find(&text[from..]).map_or(usize::MAX, |end| from + end));
            }
            known.filter(|end| *end != usize::MAX)
        };
        let other = next(&mut self.other, &|rest| {
            let ends = [rest.find("\x1b\\").map(|at| at + 2), rest.find('\u{9c}').map(|at| at + 2)];
            ends.into_iter().flatten().min()
        });
        let bell = if bell { next(&mut self.bell, &|rest| rest.find('\x07').map(|at| at + 1)) } else { None };
        [bell, other].into_iter().flatten().min()
    }
}

/// The escape sequence whose `ESC` ends at `from`, if it is complete: its parameters if it is an SGR, and its length.
fn escape<'a>(text: &'a str, from: usize, ends: &mut Ends) -> Option<(Option<&'a str>, usize)> {
    let bytes = &text.as_bytes()[from..];
    match bytes.first()? {
        b'[' => {
            let (params, len) = control(bytes)?;
            Some((params.map(|params| &text[from + params.start..from + params.end]), len))
        }
        kind @ (b']' | b'P' | b'X' | b'^' | b'_') => Some((None, ends.after(text, from + 1, *kind == b']')? - from)),
        _ => {
            let between = bytes.iter().take(8).take_while(|b| (0x20..=0x2f).contains(*b)).count();
            bytes.get(between).filter(|b| (0x30..=0x7e).contains(*b))?;
            Some((None, between + 1))
        }
    }
}

/// The control sequence that goes on with `bytes`, from its `[` on: where its parameters are if it is an SGR, and its
/// length.
fn control(bytes: &[u8]) -> Option<(Option<Range<usize>>, usize)> {
    let params = bytes[1..].iter().take(MAX_CONTROL).take_while(|b| (0x30..=0x3f).contains(*b)).count();
    let between = bytes[1 + params..].iter().take(8).take_while(|b| (0x20..=0x2f).contains(*b)).count();
    let last = bytes.get(1 + params + between).filter(|b| (0x40..=0x7e).contains(*b))?;
    let private = matches!(bytes.get(1), Some(b'<'..=b'?'));
    Some(((*last == b'm' && between == 0 && !private).then_some(1..1 + params), params + between + 2))
}

/// Many lines as text, each like [`plain`] shows it. Fast for lines with nothing but colours in them, as most loggers
/// print them: all at once if all are of that kind, else line by line.
pub(super) fn plain_lines(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    if without_controls(bytes, &mut text) && !is_rough(&text, false) {
        return text;
    }
    text.clear();
    let (mut at, mut first) = (0, true);
    while at <= bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |newline| at + newline);
        if !std::mem::take(&mut first) {
            text.push(b'\n');
        }
        let line = &bytes[at..end];
        let start = text.len();
        if !without_controls(line, &mut text) || is_rough(&text[start..], false) {
            text.truncate(start);
            text.extend_from_slice(plain(line).as_bytes());
        }
        at = end + 1;
    }
    text
}

/// Adds `bytes` without their control sequences; false if they hold escapes of another kind.
fn without_controls(bytes: &[u8], text: &mut Vec<u8>) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\x1b', rest) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((_, len)) = (if rest.first() == Some(&b'[') { control(rest) } else { None }) else { return false };
        rest = &rest[len..];
    }
    text.extend_from_slice(rest);
    true
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
    let (mut returned, mut line) = (false, None::<Overtyped<()>>);
    tokens(bytes, &mut |token| {
        if returned && !matches!(token, Token::Return | Token::Style(_) | Token::Edit(Edit::Erase, _)) {
            text.clear();
            (returned, line) = (false, None);
        }
        let mut character = [0; 4];
        let piece = match token {
            Token::Text(piece) => piece,
            Token::Glyph(glyph) => glyph.encode_utf8(&mut character),
            Token::Tab => "\t",
            Token::Return => return returned = true,
            Token::Style(_) => return,
            // Until it goes back the cursor is at the end.
            Token::Edit(Edit::Back, count) => {
                return line.get_or_insert_with(|| Overtyped::new(text.chars().map(|c| (c, ())))).edit(Edit::Back, count, ());
            }
            Token::Edit(edit, count) => return line.iter_mut().for_each(|line| line.edit(edit, count, ())),
        };
        match &mut line {
            None => text.push_str(piece),
            Some(line) => piece.chars().for_each(|c| line.write(c, ())),
        }
    });
    line.map_or(text, |line| line.cells().into_iter().map(|(c, ())| c).collect())
}

/// What an event carries of a line.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHORT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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
    fn o2_o3_o4_complete_sequences_vanish_and_others_show() {
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

    #[test]
    fn o5_a_line_of_beginnings_is_read_in_no_time() {
        let line = b"\x1b]0;".repeat(16_000);
        let started = std::time::Instant::now();
        assert_eq!(plain(&line).chars().count(), line.len());
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "it takes a square of its length");
    }

    proptest! {
        #[test]
        fn many_lines_read_as_each_alone(text in "([a\u{fc}\u{9b}\n]|\r|\x1b\\[3?[0-9;]{0,3}[mKh]|\x1b[\\]c(]|\x07){0,20}", cut in 0usize..6) {
            let bytes = &text.as_bytes()[cut.min(text.len())..];
            let each: Vec<String> = bytes.split(|b| *b == b'\n').map(plain).collect();
            prop_assert_eq!(plain_lines(bytes), each.join("\n").into_bytes());
        }

        /// Wherever something stands in however many blocks.
        #[test]
        fn a_survey_counts_and_sees_everything(
            pieces in proptest::collection::vec(("[a-c ]|\n|\t|\u{1}|\u{7f}|\u{e9}|\u{202e}|\u{9b}", 0usize..3 * BLOCK), 0..4),
            newlines in proptest::collection::vec(0usize..200, 0..4),
            wrong in proptest::option::weighted(0.2, prop_oneof![Just(0xff_u8), Just(0x80)]),
        ) {
            let mut bytes = Vec::new();
            for (piece, ordinary) in &pieces {
                bytes.resize(bytes.len() + ordinary, b'x');
                bytes.extend(piece.bytes());
                bytes.extend(newlines.iter().flat_map(|count| std::iter::repeat_n(b'\n', *count).chain(*b"y")));
                bytes.extend(wrong);
            }
            let count = bytes.split(|b| *b == b'\n').count() as u64 - 1;
            let rough = match str::from_utf8(&bytes) {
                Ok(text) => text.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || is_disguised(c)),
                Err(_) => true,
            };
            prop_assert_eq!(survey(&bytes, false), (count, rough));
        }

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
