//! Bytes as somebody else would read them: a terminal that swallows escape sequences, a URL parser, a JSON parser.
//!
//! A [`View`] holds what that reader sees and where each byte of it came from.

use std::ops::Range;

/// The longest control sequence (`ESC [ … m`) that the log takes for one.
const MAX_CONTROL: usize = 256;

/// What some reader makes of bytes.
#[derive(Debug, Default)]
pub(super) struct View {
    /// What it sees.
    pub(super) bytes: Vec<u8>,
    pieces: Vec<Piece>,
    /// Up to where it reads.
    pub(super) end: usize,
    /// Where something begins that only what follows can decide, and which of a reader's bytes it may become.
    pub(super) unfinished: Option<Unfinished>,
}

/// The beginning of an encoded byte or of an escape sequence at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// Where it begins.
    pub(super) at: usize,
    /// The first hex digit of the byte, if it is known.
    pub(super) high: Option<u8>,
}

/// Bytes of the view that came from one place.
#[derive(Debug, Clone, Copy)]
struct Piece {
    seen: usize,
    raw: usize,
    /// How many bytes they were; equal to what is seen of them if nothing was decoded.
    raw_len: usize,
    decoded: bool,
}

/// How bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Without escape sequences, as the log shows it.
    Terminal,
    /// `%2F` is a slash.
    Percent,
    /// The same, and `+` is a blank.
    Form,
    /// `\n`, `\"`, `\/`, `\u00fc`, `\x41`, `\303`.
    Backslash,
}

impl Reading {
    /// How output is read besides as it is.
    pub(super) const ALL: &[Self] = &[Self::Terminal, Self::Percent, Self::Form, Self::Backslash];

    /// What may be read from what was read this way: encodings nest, but not without end.
    pub(super) fn within(self) -> &'static [Self] {
        match self {
            Self::Terminal => &[Self::Percent, Self::Form, Self::Backslash],
            Self::Percent | Self::Backslash => &[Self::Percent, Self::Backslash],
            Self::Form => &[],
        }
    }

    /// The views of `bytes`, each around something that this reading changes, as far as `reach` from it. With `open`
    /// more bytes may follow.
    pub(super) fn views(self, bytes: &[u8], reach: usize, open: bool) -> Vec<View> {
        if self == Self::Terminal {
            return View::without_escapes(bytes, open).into_iter().collect();
        }
        let encoded = |at: &usize| self == Self::Backslash || is_percent(&bytes[*at..]) || open && bytes.len() - at < 3;
        let mark = if self == Self::Backslash { b'\\' } else { b'%' };
        let mut regions: Vec<Range<usize>> = Vec::new();
        for at in memchr::memchr_iter(mark, bytes).filter(encoded) {
            let region = at.saturating_sub(reach)..(at + reach).min(bytes.len());
            match regions.last_mut() {
                Some(last) if region.start <= last.end => last.end = region.end,
                _ => regions.push(region),
            }
        }
        regions.into_iter().map(|region| self.decode(bytes, region, open)).collect()
    }

    fn decode(self, bytes: &[u8], region: Range<usize>, open: bool) -> View {
        let mut view = View { end: region.end, ..View::default() };
        let (mut at, mut literal) = (region.start, region.start);
        let open = open && region.end == bytes.len();
        while at < region.end {
            let rest = &bytes[at..region.end];
            let step = match (self, rest[0]) {
                (Self::Backslash, b'\\') => backslash(rest),
                (Self::Percent | Self::Form, b'%') => percent(rest),
                (Self::Form, b'+') => Step::Decoded(Char::byte(b' '), 1),
                _ => Step::Literal,
            };
            match step {
                Step::Decoded(char, len) => {
                    view.literal(bytes, literal..at);
                    view.decoded(char, at..at + len);
                    at += len;
                    literal = at;
                }
                Step::Unfinished(high) if open => {
                    view.unfinished = Some(Unfinished { at, high });
                    view.literal(bytes, literal..at);
                    return view;
                }
                Step::Literal | Step::Unfinished(_) => at += 1,
            }
        }
        view.literal(bytes, literal..region.end);
        view
    }
}

impl View {
    /// Where the bytes `range` of the view came from: one range for each piece, so that what was swallowed between them
    /// is left alone.
    pub(super) fn raw(&self, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.pieces.partition_point(|piece| piece.seen <= range.start).saturating_sub(1);
        let ends = self.pieces.iter().skip(first + 1).map(|piece| piece.seen).chain([self.bytes.len()]);
        let range = range.clone();
        self.pieces.iter().skip(first).zip(ends).take_while(move |(piece, _)| piece.seen < range.end).map(move |(piece, end)| {
            if piece.decoded {
                piece.raw..piece.raw + piece.raw_len
            } else {
                piece.raw + range.start.saturating_sub(piece.seen)..piece.raw + range.end.min(end) - piece.seen
            }
        })
    }

    /// The bytes of a region without the `gaps` in it.
    pub(super) fn without(bytes: &[u8], region: Range<usize>, gaps: &[Range<usize>]) -> Self {
        let mut view = Self { end: region.end, ..Self::default() };
        let mut at = region.start;
        for gap in gaps {
            view.literal(bytes, at..gap.start.max(at));
            at = gap.end;
        }
        view.literal(bytes, at..region.end.max(at));
        view
    }

    /// Adds bytes that are what they look like.
    fn literal(&mut self, bytes: &[u8], raw: Range<usize>) {
        if !raw.is_empty() {
            self.pieces.push(Piece { seen: self.bytes.len(), raw: raw.start, raw_len: raw.len(), decoded: false });
            self.bytes.extend_from_slice(&bytes[raw]);
        }
    }

    fn decoded(&mut self, char: Char, raw: Range<usize>) {
        self.pieces.push(Piece { seen: self.bytes.len(), raw: raw.start, raw_len: raw.len(), decoded: true });
        self.bytes.extend_from_slice(&char.bytes[..char.len]);
    }

    /// What the log shows of `bytes`; none if it shows all of them.
    fn without_escapes(bytes: &[u8], open: bool) -> Option<Self> {
        let mut view = Self { end: bytes.len(), ..Self::default() };
        let (mut from, mut literal) = (memchr::memchr(b'\x1b', bytes)?, 0);
        let (mut line_end, mut ends) = (0, Ends::default());
        loop {
            if line_end <= from {
                line_end = memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at);
                ends = Ends::default();
            }
            match escape(&bytes[..line_end], from + 1, &mut ends) {
                Escape::Ends(end) => {
                    view.literal(bytes, literal..from);
                    (from, literal) = (end, end);
                }
                Escape::Open if open && line_end == bytes.len() => {
                    view.literal(bytes, literal..from);
                    view.unfinished = Some(Unfinished { at: from, high: None });
                    return Some(view);
                }
                Escape::Open | Escape::No => from += 1,
            }
            match memchr::memchr(b'\x1b', &bytes[from..]) {
                Some(at) => from += at,
                None => break,
            }
        }
        if literal == 0 {
            return None;
        }
        view.literal(bytes, literal..bytes.len());
        Some(view)
    }
}

/// What stands behind an `ESC`.
enum Escape {
    /// A whole sequence, up to here.
    Ends(usize),
    /// Perhaps the beginning of one.
    Open,
    /// None.
    No,
}

/// Reads the escape sequence whose `ESC` ends at `from`, by the same rules by which the log swallows them: a difference
/// would show what was masked nowhere.
fn escape(line: &[u8], from: usize, ends: &mut Ends) -> Escape {
    match line.get(from) {
        None => Escape::Open,
        Some(b'[') => {
            let rest = &line[from + 1..];
            let params = rest.iter().take(MAX_CONTROL).take_while(|b| (0x30..=0x3f).contains(*b)).count();
            let between = rest[params..].iter().take(8).take_while(|b| (0x20..=0x2f).contains(*b)).count();
            match rest.get(params + between) {
                Some(0x40..=0x7e) => Escape::Ends(from + params + between + 2),
                Some(_) => Escape::No,
                None => Escape::Open,
            }
        }
        Some(kind @ (b']' | b'P' | b'X' | b'^' | b'_')) => match ends.after(line, from + 1, *kind == b']') {
            // A string with a byte in it that is no UTF-8 is none.
            Some(end) if std::str::from_utf8(&line[from..end]).is_ok() => Escape::Ends(end),
            Some(_) => Escape::No,
            None => Escape::Open,
        },
        Some(_) => {
            let between = line[from..].iter().take(8).take_while(|b| (0x20..=0x2f).contains(*b)).count();
            match line.get(from + between) {
                Some(0x30..=0x7e) => Escape::Ends(from + between + 1),
                Some(_) => Escape::No,
                None => Escape::Open,
            }
        }
    }
}

/// Where strings (titles, clipboards, links) of a line may end: looked up once for many beginnings.
#[derive(Default)]
struct Ends {
    bell: Option<usize>,
    other: Option<usize>,
}

impl Ends {
    fn after(&mut self, line: &[u8], from: usize, bell: bool) -> Option<usize> {
        let next = |known: &mut Option<usize>, find: &dyn Fn(&[u8]) -> Option<usize>| {
            if known.is_none_or(|end| end < from) {
                *known = Some(find(&line[from..]).map_or(usize::MAX, |end| from + end));
            }
            known.filter(|end| *end != usize::MAX)
        };
        let other = next(&mut self.other, &|rest| {
            let ends = [memchr::memmem::find(rest, b"\x1b\\"), memchr::memmem::find(rest, b"\xc2\x9c")];
            ends.into_iter().flatten().min().map(|at| at + 2)
        });
        let bell = if bell { next(&mut self.bell, &|rest| memchr::memchr(b'\x07', rest).map(|at| at + 1)) } else { None };
        [bell, other].into_iter().flatten().min()
    }
}

/// Up to four bytes: one character, or one byte of one.
#[derive(Debug, Clone, Copy)]
struct Char {
    bytes: [u8; 4],
    len: usize,
}

impl Char {
    fn byte(b: u8) -> Self {
        Self { bytes: [b, 0, 0, 0], len: 1 }
    }

    fn of(c: char) -> Self {
        let mut bytes = [0; 4];
        let len = c.encode_utf8(&mut bytes).len();
        Self { bytes, len }
    }
}

/// What a mark begins.
enum Step {
    /// This character, encoded in so many bytes.
    Decoded(Char, usize),
    /// Nothing: it is what it looks like.
    Literal,
    /// Only what follows will tell.
    Unfinished(Option<u8>),
}

fn digit(b: Option<&u8>) -> Option<u8> {
    b.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8)
}

fn is_percent(rest: &[u8]) -> bool {
    matches!(percent(rest), Step::Decoded(..))
}

fn percent(rest: &[u8]) -> Step {
    match (rest.get(1), rest.get(2)) {
        (None, _) => Step::Unfinished(None),
        (high, None) if digit(high).is_some() => Step::Unfinished(digit(high)),
        (high, low) => match (digit(high), digit(low)) {
            (Some(high), Some(low)) => Step::Decoded(Char::byte(high << 4 | low), 3),
            _ => Step::Literal,
        },
    }
}

fn backslash(rest: &[u8]) -> Step {
    let simple = |b| Step::Decoded(Char::byte(b), 2);
    match rest.get(1) {
        None => Step::Unfinished(None),
        Some(b'n') => simple(b'\n'),
        Some(b't') => simple(b'\t'),
        Some(b'r') => simple(b'\r'),
        Some(b'b') => simple(8),
        Some(b'f') => simple(12),
        Some(b'a') => simple(7),
        Some(b'v') => simple(11),
        Some(b'e') => simple(27),
        Some(b'x') => hex(rest, 2, 2).map_or_else(|step| step, |(value, len)| Step::Decoded(Char::byte(value as u8), len)),
        Some(b'u') if rest.get(2) == Some(&b'{') => braced(rest),
        Some(b'u') => unicode(rest),
        Some(b'0'..=b'7') => octal(rest),
        Some(b) if b.is_ascii_alphanumeric() => Step::Literal,
        Some(b) => simple(*b),
    }
}

/// `count` hex digits from `from` on, and where they end.
fn hex(rest: &[u8], from: usize, count: usize) -> Result<(u32, usize), Step> {
    let mut value = 0;
    for at in from..from + count {
        match rest.get(at) {
            None => return Err(Step::Unfinished(None)),
            some => value = value << 4 | u32::from(digit(some).ok_or(Step::Literal)?),
        }
    }
    Ok((value, from + count))
}

/// `\u00fc`, or two of them for a character beyond the first plane.
fn unicode(rest: &[u8]) -> Step {
    let read = || {
        let (first, len) = hex(rest, 2, 4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok((first, len));
        }
        match (rest.get(len), rest.get(len + 1)) {
            (None | Some(b'\\'), None) => return Err(Step::Unfinished(None)),
            (Some(b'\\'), Some(b'u')) => {}
            _ => return Err(Step::Literal),
        }
        let (second, len) = hex(rest, len + 2, 4)?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(Step::Literal);
        }
        Ok((0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), len))
    };
    read().map_or_else(|step| step, |(value, len)| char::from_u32(value).map_or(Step::Literal, |c| Step::Decoded(Char::of(c), len)))
}

/// `\u{fc}`, as Rust writes it.
fn braced(rest: &[u8]) -> Step {
    let digits = rest[3..].iter().take(6).take_while(|b| b.is_ascii_hexdigit()).count();
    match rest.get(3 + digits) {
        None => Step::Unfinished(None),
        Some(b'}') => match hex(rest, 3, digits) {
            Ok((value, len)) => char::from_u32(value).map_or(Step::Literal, |c| Step::Decoded(Char::of(c), len + 1)),
            Err(step) => step,
        },
        Some(_) => Step::Literal,
    }
}

/// `\0`, `\303`: up to three digits.
fn octal(rest: &[u8]) -> Step {
    let digits = rest[1..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
    if digits < 3 && rest.len() == 1 + digits {
        return Step::Unfinished(None);
    }
    let value = rest[1..=digits].iter().fold(0u32, |value, b| value << 3 | u32::from(b - b'0'));
    u8::try_from(value).map_or(Step::Literal, |value| Step::Decoded(Char::byte(value), 1 + digits))
}
