//! Walking what was said in a span of time, a batch at once, however much it is.

use std::io;

use super::{line::LogLine, store::LogStore, view::LogView};
use crate::model::At;

impl LogView {
    /// Hands the rows from the one that [`row_at_time`](Self::row_at_time) finds for `from` to the last before one later than
    /// `until` to `each`, in order.
    pub fn each_between(&self, store: &LogStore, from: At, until: At, mut each: impl FnMut(&LogLine) -> io::Result<()>) -> io::Result<()> {
        let mut next = self.row_at_time(store, from)?;
        while next < self.len() {
            let lines = self.batch(store, next)?;
            if lines.is_empty() {
                break;
            }
            next += lines.len() as u64;
            for line in lines {
                if line.at > until {
                    return Ok(());
                }
                each(&line)?;
            }
        }
        Ok(())
    }
}
