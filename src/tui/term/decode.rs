//! Bytes from the terminal become keys, pastes and mouse reports.

use crate::tui::key::{Code, Key};

/// Something that came from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    Key(Key),
    /// Text pasted as one piece.
    Paste(String),
    Mouse(Mouse),
    /// The window is looked at again.
    Focus,
    /// The terminal answers that it speaks the kitty keyboard protocol.
    Keyboard,
    /// The terminal says what it is: the last answer to what it was asked.
    Attributes,
}

/// A mouse report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mouse {
    pub(crate) kind: MouseKind,
    pub(crate) x: u16,
    pub(crate) y: u16,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MouseKind {
    Down,
    Drag,
    Up,
    WheelUp,
    WheelDown,
    Other,
}

/// The longest sequence that is taken for one.
const MAX_SEQUENCE: usize = 64;
/// Pasted text beyond this is dropped.
const MAX_PASTE: usize = 64 << 10;

const PASTE_END: &[u8] = b"\x1b[201~";

/// Decodes a stream of bytes, wherever reads cut it.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    paste: Option<Vec<u8>>,
}

/// What the bytes at hand begin with.
enum Step {
    /// An input, and how many bytes it took.
    Input(Input, usize),
    /// Nothing anybody wants, so many bytes long.
    Skip(usize),
    /// The beginning of something: more must come.
    More,
}

impl Decoder {
    /// Takes bytes and hands out what they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.buffer.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        loop {
            if self.paste.is_some() {
                if !self.take_paste(&mut inputs) {
                    return inputs;
                }
                continue;
            }
            if self.buffer.starts_with(b"\x1b[200~") {
                self.buffer.drain(..6);
                self.paste = Some(Vec::new());
                continue;
            }
            match step(&self.buffer) {
                Step::More => return inputs,
                Step::Skip(len) => drop(self.buffer.drain(..len)),
                Step::Input(input, len) => {
                    self.buffer.drain(..len);
                    inputs.push(input);
                }
            }
        }
    }

    /// Whether bytes wait for more. If none come soon, they mean something by themselves: see [`Self::flush`].
    pub(crate) fn is_waiting(&self) -> bool {
        !self.buffer.is_empty() && self.paste.is_none()
    }

    /// No more bytes came: an escape character alone was the Esc key.
    pub(crate) fn flush(&mut self) -> Vec<Input> {
        if !self.is_waiting() {
            return Vec::new();
        }
        let mut inputs = Vec::new();
        let rest = std::mem::take(&mut self.buffer);
        match rest.as_slice() {
            [0x1b] => inputs.push(Input::Key(Key::plain(Code::Esc))),
            [0x1b, c @ (b'[' | b'O')] => inputs.push(Input::Key(Key { alt: true, ..Key::char(*c as char) })),
            // Half a sequence that will never end.
            _ => {}
        }
        inputs
    }

    /// Moves pasted bytes over; false if the end has not come yet.
    fn take_paste(&mut self, inputs: &mut Vec<Input>) -> bool {
        let Some(paste) = &mut self.paste else { return false };
        let end = self.buffer.windows(PASTE_END.len()).position(|window| window == PASTE_END);
        // The end itself may be cut by the read.
        let ready = end.unwrap_or(self.buffer.len().saturating_sub(PASTE_END.len() - 1));
        let room = MAX_PASTE.saturating_sub(paste.len());
        paste.extend(self.buffer.drain(..ready).take(room));
        if end.is_none() {
            return false;
        }
        self.buffer.drain(..PASTE_END.len());
        let paste = self.paste.take().unwrap_or_default();
        inputs.push(Input::Paste(String::from_utf8_lossy(&paste).into_owned()));
        true
    }
}

fn key(code: Code, len: usize) -> Step {
    Step::Input(Input::Key(Key::plain(code)), len)
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [0x1b] | [0x1b, b'O'] => Step::More,
        [0x1b, b'[', rest @ ..] => control(rest),
        [0x1b, b'O', c, ..] => match letter(*c) {
            Some(code) => key(code, 3),
            None => Step::Skip(3),
        },
        [0x1b, 0x1b, ..] => key(Code::Esc, 1),
        [0x1b, rest @ ..] => match step(rest) {
            Step::Input(Input::Key(key), len) => Step::Input(Input::Key(Key { alt: true, ..key }), len + 1),
            Step::Input(_, len) | Step::Skip(len) => Step::Skip(len + 1),
            Step::More => Step::More,
        },
        [b'\r' | b'\n', ..] => key(Code::Enter, 1),
        [b'\t', ..] => key(Code::Tab, 1),
        [0x7f | 0x08, ..] => key(Code::Backspace, 1),
        [0, ..] => Step::Input(Input::Key(Key::ctrl(' ')), 1),
        [c @ 0x01..=0x1a, ..] => Step::Input(Input::Key(Key::ctrl((c - 1 + b'a') as char)), 1),
        [c @ 0x1c..=0x1f, ..] => Step::Input(Input::Key(Key::ctrl((c + 0x40) as char)), 1),
        [first, ..] => character(*first, bytes),
    }
}

/// A character of UTF-8.
fn character(first: u8, bytes: &[u8]) -> Step {
    let len = match first {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Skip(1),
    };
    let Some(whole) = bytes.get(..len) else {
        let broken = bytes[1..].iter().any(|b| b & 0xc0 != 0x80);
        return if broken { Step::Skip(1) } else { Step::More };
    };
    match std::str::from_utf8(whole).ok().and_then(|text| text.chars().next()) {
        Some(c) if c.is_control() => Step::Skip(len),
        Some(c) => Step::Input(Input::Key(Key::char(c)), len),
        None => Step::Skip(1),
    }
}

/// `ESC [ … final`, without its first two bytes.
fn control(rest: &[u8]) -> Step {
    // The Linux console writes its function keys as `ESC [ [ A`.
    if let [b'[', more @ ..] = rest {
        return match more {
            [] => Step::More,
            [c @ b'A'..=b'E', ..] => key(Code::F(c - b'A' + 1), 4),
            _ => Step::Skip(4),
        };
    }
    let Some(end) = rest.iter().position(|b| !(0x20..=0x3f).contains(b)) else {
        return if rest.len() > MAX_SEQUENCE { Step::Skip(2 + rest.len()) } else { Step::More };
    };
    let len = 2 + end + 1;
    if !(0x40..=0x7e).contains(&rest[end]) {
        // A control character inside: the sequence was cut off, the character counts by itself.
        return Step::Skip(2 + end);
    }
    let params = std::str::from_utf8(&rest[..end]).unwrap_or("");
    if let Some(report) = params.strip_prefix('<') {
        return mouse(report, rest[end] == b'm').map_or(Step::Skip(len), |mouse| Step::Input(Input::Mouse(mouse), len));
    }
    if params.starts_with('?') {
        return match rest[end] {
            b'u' => Step::Input(Input::Keyboard, len),
            b'c' => Step::Input(Input::Attributes, len),
            _ => Step::Skip(len),
        };
    }
    if params.is_empty() && rest[end] == b'I' {
        return Step::Input(Input::Focus, len);
    }
    let mut numbers = params.split(';').map(|part| part.split(':').next().unwrap_or("").parse::<u32>());
    let first = numbers.next().and_then(Result::ok);
    let modifiers = numbers.next().and_then(Result::ok).unwrap_or(1).saturating_sub(1);
    let code = match rest[end] {
        b'~' => first.and_then(tilde),
        // The kitty protocol.
        b'u' => first.and_then(char::from_u32).and_then(unicode_key),
        b'Z' => Some(Code::Tab),
        // Where the cursor is: an answer to a question that somebody else asked.
        b'R' => None,
        c => letter(c),
    };
    let Some(code) = code else { return Step::Skip(len) };
    let shift = modifiers & 1 != 0 || rest[end] == b'Z';
    let mut key = Key { code, ctrl: modifiers & 4 != 0, alt: modifiers & 2 != 0, shift };
    if let Code::Char(c) = key.code {
        // As keymaps write them: a character carries its shift, and Ctrl goes with a letter in lower case.
        let c = match (key.ctrl, key.shift) {
            (true, _) => c.to_ascii_lowercase(),
            (false, true) => c.to_ascii_uppercase(),
            (false, false) => c,
        };
        key = Key { code: Code::Char(c), shift: false, ..key };
    }
    Step::Input(Input::Key(key), len)
}

fn letter(c: u8) -> Option<Code> {
    Some(match c {
        b'A' => Code::Up,
        b'B' => Code::Down,
        b'C' => Code::Right,
        b'D' => Code::Left,
        b'H' => Code::Home,
        b'F' => Code::End,
        b'M' => Code::Enter,
        b'P' => Code::F(1),
        b'Q' => Code::F(2),
        b'R' => Code::F(3),
        b'S' => Code::F(4),
        _ => return None,
    })
}

fn tilde(n: u32) -> Option<Code> {
    Some(match n {
        1 | 7 => Code::Home,
        2 => Code::Insert,
        3 => Code::Delete,
        4 | 8 => Code::End,
        5 => Code::PageUp,
        6 => Code::PageDown,
        11..=15 => Code::F((n - 10) as u8),
        17..=21 => Code::F((n - 11) as u8),
        23 | 24 => Code::F((n - 12) as u8),
        _ => return None,
    })
}

fn unicode_key(c: char) -> Option<Code> {
    Some(match c {
        '\r' => Code::Enter,
        '\t' => Code::Tab,
        '\x1b' => Code::Esc,
        '\x7f' => Code::Backspace,
        // The keypad, and the keys that have no code of their own elsewhere.
        '\u{e000}'..='\u{f8ff}' => return keypad(u32::from(c)),
        c if c.is_control() => return None,
        c => Code::Char(c),
    })
}

fn keypad(code: u32) -> Option<Code> {
    Some(match code {
        57399..=57408 => Code::Char(char::from(b'0' + (code - 57399) as u8)),
        57409 => Code::Char('.'),
        57410 => Code::Char('/'),
        57411 => Code::Char('*'),
        57412 => Code::Char('-'),
        57413 => Code::Char('+'),
        57414 => Code::Enter,
        57415 => Code::Char('='),
        57416 => Code::Char(','),
        57417 => Code::Left,
        57418 => Code::Right,
        57419 => Code::Up,
        57420 => Code::Down,
        57421 => Code::PageUp,
        57422 => Code::PageDown,
        57423 => Code::Home,
        57424 => Code::End,
        57425 => Code::Insert,
        57426 => Code::Delete,
        _ => return None,
    })
}

/// `button;x;y` with places from 1.
fn mouse(report: &str, up: bool) -> Option<Mouse> {
    let mut numbers = report.split(';').map(str::parse::<u16>);
    let (button, x, y) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let kind = match button & 0b1110_0011 {
        64 => MouseKind::WheelUp,
        65 => MouseKind::WheelDown,
        0 if up => MouseKind::Up,
        0 => MouseKind::Down,
        32 => MouseKind::Drag,
        _ => MouseKind::Other,
    };
    Some(Mouse { kind, x: x.saturating_sub(1), y: y.saturating_sub(1) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(bytes: &[u8]) -> String {
        let mut decoder = Decoder::default();
        let mut inputs = decoder.feed(bytes);
        inputs.extend(decoder.flush());
        let show = |input: Input| match input {
            Input::Key(key) => key.to_string(),
            Input::Paste(text) => format!("paste {text:?}"),
            Input::Mouse(mouse) => format!("{:?} {},{}", mouse.kind, mouse.x, mouse.y),
            Input::Focus => "focus".into(),
            Input::Keyboard => "keyboard".into(),
            Input::Attributes => "attributes".into(),
        };
        inputs.into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn keys_of_many_terminals_are_known() {
        assert_eq!(keys(b"\x1b[Ij\x1b[Ok"), "focus j k");
        assert_eq!(keys(b"jG\x03\r\t\x1b[Z\x7f"), "j G C-c Enter Tab S-Tab Backspace");
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[1;5C\x1b[15~\x1bOP\x1b[24~\x1b[[A"), "↑ ↓ PgUp PgDn C-→ F5 F1 F12 F1");
        assert_eq!(keys("é日".as_bytes()), "é 日");
        assert_eq!(keys(b"\x1bx\x1b"), "M-x Esc");
        assert_eq!(keys(b"\x1b[99;5u\x1b[27u\x1b[103;2u"), "C-c Esc G");
        assert_eq!(keys(b"\x1c\x1d\x00"), "C-\\ C-] C-Space");
    }

    #[test]
    fn the_kitty_protocol_is_understood() {
        assert_eq!(keys(b"\x1b[?0u\x1b[?1;2c"), "keyboard attributes");
        assert_eq!(keys(b"\x1b[27u\x1b[106;3u\x1b[99;6u\x1b[97;69u\x1b[57414u\x1b[57420u\x1b[57358u"), "Esc M-j C-c C-a Enter ↓");
    }

    #[test]
    fn the_mouse_and_pastes_are_no_keys() {
        assert_eq!(keys(b"\x1b[<0;5;3M\x1b[<0;5;3m\x1b[<65;1;1M"), "Down 4,2 Up 4,2 WheelDown 0,0");
        assert_eq!(keys(b"\x1b[200~x\rq\x1b[31m\x1b[201~q"), "paste \"x\\rq\\u{1b}[31m\" q");
    }

    #[test]
    fn an_escape_alone_is_a_key_only_when_nothing_follows() {
        let mut decoder = Decoder::default();
        assert!(decoder.feed(b"\x1b").is_empty());
        assert!(decoder.is_waiting());
        assert_eq!(decoder.feed(b"[A").len(), 1);
        assert!(!decoder.is_waiting());
        decoder.feed(b"\x1b");
        assert_eq!(decoder.flush(), [Input::Key(Key::plain(Code::Esc))]);
    }

    #[test]
    fn what_terminals_answer_is_no_key() {
        assert_eq!(keys(b"\x1b[?62;22c\x1b[O\x1b[12;40R\x1b[?2026;2$y"), "attributes");
        assert_eq!(keys(b"\x80\xffa\xc2"), "a");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut(bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 0usize..60) {
            let whole = Decoder::default().feed(&bytes);
            let mut decoder = Decoder::default();
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            let mut parts = decoder.feed(a);
            parts.extend(decoder.feed(b));
            prop_assert_eq!(whole, parts);
        }

        #[test]
        fn nothing_is_waited_for_without_end(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            prop_assert!(decoder.buffer.len() <= MAX_SEQUENCE + 4);
        }
    }
}
