//! A part of a run for an archive: each stream's slice, and events that speak of its lines by their new numbers.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
};

use super::{
    gauge::{Gauge, Watched},
    pack::append,
};
use crate::{
    logs::{self, Slice},
    model::{Event, EventKind, ProcessId},
    record::{Part, Recording},
};

/// The slices of all streams that said something.
pub(super) struct Slices<'a> {
    part: Part,
    streams: Vec<(&'a ProcessId, &'static str, Slice)>,
}

impl<'a> Slices<'a> {
    pub(super) fn of(recording: &Recording, part: Part, streams: impl Iterator<Item = (&'a ProcessId, &'static str)>) -> io::Result<Self> {
        let mut found = Vec::new();
        for (process, stream) in streams {
            let segment = recording.dir.join(format!("logs/{process}.{stream}"));
            found.extend(logs::slice(&segment, part.from, part.until)?.map(|slice| (process, stream, slice)));
        }
        Ok(Self { part, streams: found })
    }

    /// All events but the samples and probes of other times. A line that is not in the archive has the number 0.
    pub(super) fn write_events(&self, events: &[Arc<Event>], out: &mut impl Write) -> io::Result<()> {
        let before: HashMap<_, _> = self.streams.iter().map(|(process, stream, slice)| ((*process, *stream), slice.lines_before)).collect();
        for event in events {
            let elsewhere = event.at < self.part.from || event.at > self.part.until;
            let mut event = Event::clone(event);
            match &mut event.kind {
                EventKind::Sampled { .. } | EventKind::Probed { .. } if elsewhere => continue,
                EventKind::Unknown => continue,
                EventKind::Alerted { process, stream, line, .. }
                | EventKind::Expected { process, stream: Some(stream), line: Some(line), .. } => {
                    *line = before.get(&(&*process, stream.as_str())).map_or(0, |before| line.saturating_sub(*before));
                }
                _ => {}
            }
            serde_json::to_writer(&mut *out, &event)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(super) fn append(&self, archive: &mut tar::Builder<impl Write>, dir: &Path, gauge: &Gauge<'_>) -> io::Result<()> {
        for (process, stream, slice) in &self.streams {
            let name = format!("logs/{process}.{stream}");
            append(archive, &format!("{name}.idx"), slice.index.len() as u64, slice.index.as_slice())?;
            let mut data = File::open(dir.join(&name))?;
            data.seek(SeekFrom::Start(slice.start))?;
            append(archive, &name, slice.len, Watched { content: data, gauge })?;
        }
        Ok(())
    }
}
