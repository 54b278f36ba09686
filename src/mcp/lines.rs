//! Lines of bounded length from a pipe: the framing of MCP over stdio.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// No message of a test is longer.
const LONGEST: usize = 4 << 20;

/// Reads lines. Cancel-safe: what was read stays for the next call.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    too_long: bool,
}

/// What a pipe brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its end.
    Text(Vec<u8>),
    /// A line of over 4 MiB, which was dropped.
    TooLong,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, line: Vec::new(), too_long: false }
    }

    /// The next line; none at the end of the pipe. A last line without its end counts.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            let bytes = self.from.fill_buf().await?;
            if bytes.is_empty() {
                return Ok((!self.line.is_empty() || self.too_long).then(|| self.take()));
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > LONGEST {
                self.too_long = true;
                self.line.clear();
            }
            if !self.too_long {
                self.line.extend_from_slice(part);
            }
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.from.consume(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> Line {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            return Line::TooLong;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Line::Text(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(bytes: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(bytes);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.expect("memory") {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn lines_lose_their_ends_and_the_last_needs_none() {
        let text = |text: &str| Line::Text(text.into());
        assert_eq!(all(b"a\r\n\nb\nc").await, [text("a"), text(""), text("b"), text("c")]);
        assert_eq!(all(b"").await, []);
    }

    #[tokio::test]
    async fn a_line_without_end_is_dropped_and_the_next_is_read() {
        let mut bytes = vec![b'x'; LONGEST + 1];
        bytes.extend(b"\nok\n");
        assert_eq!(all(&bytes).await, [Line::TooLong, Line::Text(b"ok".to_vec())]);
    }
}
