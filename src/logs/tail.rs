//! The last words of a process.

use std::io;

use super::{
    line::lines_in,
    record::CONTINUES,
    store::{LogStore, Stream},
    text::{plain, shorten},
};
use crate::model::{Generation, ProcessId};

/// Lines of a tail.
const LINES: usize = 10;

/// How far back a tail reaches, in chunks and in bytes.
const CHUNKS: u64 = 4096;
const BYTES: u64 = 256 << 10;

impl LogStore {
    /// The last lines of a generation that say something, newest last: of its standard error if there are any, else of
    /// its standard output. At most 10, without colour codes and without lines meant for the supervisor.
    pub fn tail(&self, process: &ProcessId, generation: Generation) -> io::Result<Vec<String>> {
        for stream in [Stream::Err, Stream::Out] {
            let Some(number) = self.number(process, stream) else { break };
            let lines = self.tail_of(number, generation)?;
            if !lines.is_empty() {
                return Ok(lines);
            }
        }
        Ok(Vec::new())
    }

    fn tail_of(&self, stream: u16, generation: Generation) -> io::Result<Vec<String>> {
        let (first, records) = {
            let inner = self.read();
            let count = inner.streams[usize::from(stream)].records.len();
            let first = count.saturating_sub(CHUNKS);
            (first, self.records(&inner, stream, first, count)?)
        };
        let mut size = 0;
        let mut all: Vec<_> = (first..).zip(&records).filter(|(_, record)| record.generation == generation).collect();
        let kept = all.iter().rev().take_while(|(_, record)| {
            size += record.len();
            size - record.len() < BYTES
        });
        all.drain(..all.len() - kept.count());
        let (mut text, mut bytes) = (Vec::new(), Vec::new());
        for (index, record) in &all {
            // Another generation may have spoken in between.
            if !record.is(CONTINUES) && text.last().is_some_and(|last| *last != b'\n') {
                text.push(b'\n');
            }
            if self.chunk(stream, *index, record, &mut bytes)? {
                text.extend_from_slice(&bytes);
            }
        }
        // A line whose beginning is out of reach is left out, unless there is nothing else.
        let cut = all.first().is_some_and(|(_, record)| record.is(CONTINUES)) && text.contains(&b'\n');
        let said = |line: &String| !line.trim().is_empty() && !line.trim_start().starts_with("##e2e ");
        let mut lines: Vec<String> = Vec::new();
        for line in lines_in(&text, cut, 0).map(|line| plain(line.bytes)).filter(said) {
            if lines.len() == LINES {
                lines.remove(0);
            }
            lines.push(shorten(line.trim_end()));
        }
        Ok(lines)
    }
}
