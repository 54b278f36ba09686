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
    /// What a process that is typed to gets: bytes as they came.
    Raw(Vec<u8>),
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

/// Who the bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// The dashboard: they mean keys.
    Dashboard,
    /// A process that is typed to: they are its own, but for [`LEAVE`] and what only we have asked the terminal for.
    Process,
}

/// The key that ends typing to a process.
pub(crate) const LEAVE: Key = Key::ctrl(']');

const PASTE_BEGIN: &[u8] = b"\x1b[200~";

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
    /// Takes bytes; [`next`](Self::next) hands out what they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What comes next, if the bytes so far complete it. One at a time, since it may change whom the rest is for.
    pub(crate) fn next(&mut self, whom: For) -> Option<Input> {
        match whom {
            For::Dashboard => self.next_input(),
            For::Process => self.next_raw(),
        }
    }

    fn next_input(&mut self) -> Option<Input> {
        loop {
            if self.paste.is_some() {
                return self.take_paste();
            }
            if self.buffer.starts_with(PASTE_BEGIN) {
                self.buffer.drain(..PASTE_BEGIN.len());
                self.paste = Some(Vec::new());
                continue;
            }
            match step(&self.buffer) {
                Step::More => return None,
                Step::Skip(len) => drop(self.buffer.drain(..len)),
                Step::Input(input, len) => {
                    self.buffer.drain(..len);
                    return Some(input);
                }
            }
        }
    }

    /// The same for a process: as many bytes in one piece as are its own. Pastes lose the marks around them, which it has
    /// not asked for; within them no key means anything.
    fn next_raw(&mut self) -> Option<Input> {
        let mut raw = Vec::new();
        loop {
            if self.paste.is_some() {
                let (text, over) = self.pasted();
                raw.extend(text);
                if over {
                    self.paste = None;
                    continue;
                }
                break;
            }
            if self.buffer.starts_with(PASTE_BEGIN) {
                self.buffer.drain(..PASTE_BEGIN.len());
                self.paste = Some(Vec::new());
                continue;
            }
            let (special, len) = match step(&self.buffer) {
                Step::More => break,
                Step::Input(Input::Key(key), len) if (Key { alt: false, ..key }) == LEAVE => (Some(Input::Key(LEAVE)), len),
                Step::Input(input @ (Input::Mouse(_) | Input::Focus | Input::Keyboard | Input::Attributes), len) => (Some(input), len),
                // The window is looked away from: that report is ours, too.
                Step::Skip(len) if self.buffer.starts_with(b"\x1b[O") => {
                    self.buffer.drain(..len);
                    continue;
                }
                Step::Input(_, len) | Step::Skip(len) => (None, len),
            };
            match special {
                None => raw.extend(self.buffer.drain(..len)),
                Some(special) if raw.is_empty() => {
                    self.buffer.drain(..len);
                    return Some(special);
                }
                Some(_) => break,
            }
        }
        (!raw.is_empty()).then_some(Input::Raw(raw))
    }

    /// Whether bytes wait for more. If none come soon, they mean something by themselves: see [`Self::flush`].
    pub(crate) fn is_waiting(&self) -> bool {
        !self.buffer.is_empty() && self.paste.is_none()
    }

    /// No more bytes came: an escape character alone was the Esc key.
    pub(crate) fn flush(&mut self, whom: For) -> Option<Input> {
        if !self.is_waiting() {
            return None;
        }
        let rest = std::mem::take(&mut self.buffer);
        if whom == For::Process {
            return Some(Input::Raw(rest));
        }
        match rest.as_slice() {
            [0x1b] => Some(Input::Key(Key::plain(Code::Esc))),
            [0x1b, c @ (b'[' | b'O')] => Some(Input::Key(Key { alt: true, ..Key::char(*c as char) })),
            // Half a sequence that will never end.
            _ => None,
        }
    }

    /// Takes what was pasted so far, and whether that was its end.
    fn pasted(&mut self) -> (Vec<u8>, bool) {
        let end = self.buffer.windows(PASTE_END.len()).position(|window| window == PASTE_END);
        // The end itself may be cut by the read.
        let ready = end.unwrap_or(self.buffer.len().saturating_sub(PASTE_END.len() - 1));
        let text = self.buffer.drain(..ready).collect();
        if end.is_some() {
            self.buffer.drain(..PASTE_END.len());
        }
        (text, end.is_some())
    }

    /// Moves pasted bytes over; none if the end has not come yet.
    fn take_paste(&mut self) -> Option<Input> {
        let (text, over) = self.pasted();
        let paste = self.paste.get_or_insert_default();
        let room = MAX_PASTE.saturating_sub(paste.len());
        paste.extend(text.into_iter().take(room));
        if !over {
            return None;
        }
        let paste = self.paste.take().unwrap_or_default();
        Some(Input::Paste(String::from_utf8_lossy(&paste).into_owned()))
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

    fn all(decoder: &mut Decoder, bytes: &[u8], whom: For) -> Vec<Input> {
        decoder.feed(bytes);
        std::iter::from_fn(|| decoder.next(whom)).collect()
    }

    fn keys(bytes: &[u8]) -> String {
        keys_for(For::Dashboard, bytes)
    }

    fn keys_for(whom: For, bytes: &[u8]) -> String {
        let mut decoder = Decoder::default();
        let mut inputs = all(&mut decoder, bytes, whom);
        inputs.extend(decoder.flush(whom));
        let show = |input: Input| match input {
            Input::Key(key) => key.to_string(),
            Input::Paste(text) => format!("paste {text:?}"),
            Input::Mouse(mouse) => format!("{:?} {},{}", mouse.kind, mouse.x, mouse.y),
            Input::Focus => "focus".into(),
            Input::Keyboard => "keyboard".into(),
            Input::Attributes => "attributes".into(),
            Input::Raw(bytes) => format!("raw {}", bytes.escape_ascii()),
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
        assert!(all(&mut decoder, b"\x1b", For::Dashboard).is_empty());
        assert!(decoder.is_waiting());
        assert_eq!(all(&mut decoder, b"[A", For::Dashboard).len(), 1);
        assert!(!decoder.is_waiting());
        decoder.feed(b"\x1b");
        assert_eq!(decoder.flush(For::Dashboard), Some(Input::Key(Key::plain(Code::Esc))));
    }

    #[test]
    fn a_process_that_is_typed_to_gets_every_byte_but_the_key_that_leaves_and_our_own_reports() {
        let raw = |bytes| keys_for(For::Process, bytes);
        assert_eq!(raw(b"ls -l\r\x03\x1a\x1b[A\x1bOB\x7f\t"), r"raw ls -l\r\x03\x1a\x1b[A\x1bOB\x7f\t");
        assert_eq!(raw(b"\x1b"), r"raw \x1b");
        assert_eq!(raw(b"\xff\xc3\xa9\x1b[1;5C"), r"raw \xff\xc3\xa9\x1b[1;5C");
        assert_eq!(raw(b"ab\x1dcd"), "raw ab C-] raw cd");
        assert_eq!(raw(b"x\x1b\x1d"), "raw x C-]", "right after Esc it leaves, too");
        assert_eq!(raw(b"x\x1b[93;5u"), "raw x C-]", "as the kitty protocol writes it");
        assert_eq!(raw(b"a\x1b[I\x1b[Ob\x1b[<64;1;1M"), "raw a focus raw b WheelUp 0,0");
        assert_eq!(raw(b"a\x1b[?1;2cb"), "raw a attributes raw b", "an answer to us: nobody else can ask");
        assert_eq!(raw(b"\x1b[200~one\rtwo\x1d\x1b[A\x1b[201~!"), r"raw one\rtwo\x1d\x1b[A!", "a paste presses no key");
    }

    #[test]
    fn what_terminals_answer_is_no_key() {
        assert_eq!(keys(b"\x1b[?62;22c\x1b[O\x1b[12;40R\x1b[?2026;2$y"), "attributes");
        assert_eq!(keys(b"\x80\xffa\xc2"), "a");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut(bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 0usize..60) {
            let whole = all(&mut Decoder::default(), &bytes, For::Dashboard);
            let mut decoder = Decoder::default();
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            let mut parts = all(&mut decoder, a, For::Dashboard);
            parts.extend(all(&mut decoder, b, For::Dashboard));
            prop_assert_eq!(whole, parts);
        }

        #[test]
        fn what_is_typed_arrives_whole_wherever_reads_cut(text in "[a-z\\r\u{3}\u{e9}\u{65e5}]{0,40}", cut in 0usize..60) {
            let mut decoder = Decoder::default();
            let (a, b) = text.as_bytes().split_at(cut.min(text.len()));
            let mut inputs = all(&mut decoder, a, For::Process);
            inputs.extend(all(&mut decoder, b, For::Process));
            inputs.extend(decoder.flush(For::Process));
            let typed: Vec<u8> = inputs.into_iter().flat_map(|input| if let Input::Raw(bytes) = input { bytes } else { vec![0] }).collect();
            prop_assert_eq!(typed, text.into_bytes());
        }

        #[test]
        fn nothing_is_waited_for_without_end(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let mut decoder = Decoder::default();
            all(&mut decoder, &bytes, For::Dashboard);
            prop_assert!(decoder.buffer.len() <= MAX_SEQUENCE + 4);
        }
    }
}
