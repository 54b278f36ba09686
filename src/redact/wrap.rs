//! Base64 that is broken into lines: as `base64` (76 columns), PEM (64), MIME and Ruby (60) write it, and the same within a
//! JSON string, where `\n` stands for a break. A secret in it may begin on one line and end on the next.

use std::ops::Range;

use super::view::View;

/// The shortest lines that any encoder makes. What is shorter is no broken base64, and its newline ends it.
const SHORTEST: usize = 60;

/// Blanks that may indent the line behind a break, as in YAML.
const INDENT: usize = 16;

/// `bytes` as a decoder would read them, around each break as far as `reach` from it. Directly before them stood `run`
/// letters of base64.
pub(super) fn views(bytes: &[u8], run: usize, reach: usize) -> Vec<View> {
    let mut regions: Vec<(Range<usize>, Vec<Range<usize>>)> = Vec::new();
    for gap in breaks(bytes, 0, run, false) {
        let region = gap.start.saturating_sub(reach)..(gap.end + reach).min(bytes.len());
        match regions.last_mut() {
            Some((last, gaps)) if region.start <= last.end => {
                last.end = region.end;
                gaps.push(gap);
            }
            _ => regions.push((region, vec![gap])),
        }
    }
    regions.into_iter().map(|(region, gaps)| View::without(bytes, region, &gaps)).collect()
}

/// The same for the end of `bytes` from `from` on, behind which more may come; none if no line is broken there.
pub(super) fn open_view(bytes: &[u8], from: usize, run: usize) -> Option<View> {
    let gaps: Vec<_> = breaks(bytes, from, run, true).collect();
    (!gaps.is_empty()).then(|| View::without(bytes, from..bytes.len(), &gaps))
}

/// How many letters of base64 stand at the end of `bytes`, before which there were `run`; not more than are of interest.
pub(super) fn run_at_end(bytes: &[u8], run: usize) -> usize {
    let count = bytes.iter().rev().take(SHORTEST).take_while(|b| is_letter(**b)).count();
    if count == bytes.len() { (count + run).min(SHORTEST) } else { count }
}

/// The breaks from `from` on behind which a line goes on; with `open`, those too behind which it may.
fn breaks(bytes: &[u8], from: usize, run: usize, open: bool) -> impl Iterator<Item = Range<usize>> {
    let feeds = memchr::memchr2_iter(b'\n', b'\\', &bytes[from..]).map(move |at| from + at);
    // A carriage return counts only with the newline behind it, unless that is still to come.
    let returned = bytes.len().checked_sub(1).filter(|last| open && bytes[*last] == b'\r' && *last >= from);
    feeds.chain(returned).filter_map(move |at| {
        let gap = match &bytes[at..] {
            [b'\n', ..] => at - usize::from(bytes[from..at].ends_with(b"\r"))..at + 1,
            [b'\\', b'n', ..] => at..at + 2,
            [b'\\', b'r', b'\\', b'n', ..] => at..at + 4,
            [b'\\' | b'\r'] | [b'\\', b'r'] | [b'\\', b'r', b'\\'] if open => at..bytes.len(),
            _ => return None,
        };
        if run_at_end(&bytes[..gap.start], run) < SHORTEST {
            return None;
        }
        let indent = bytes[gap.end..].iter().take(INDENT).take_while(|b| matches!(b, b' ' | b'\t')).count();
        let gap = gap.start..gap.end + indent;
        bytes.get(gap.end).map_or(open, |b| is_letter(*b)).then_some(gap)
    })
}

/// A letter of base64, standard or URL-safe. Padding ends it.
fn is_letter(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')
}
