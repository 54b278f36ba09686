//! Frames and descriptors through a stream socket.
//!
//! A stream, since a datagram (`SEQPACKET`) refuses a launch with a big environment. Descriptors travel with the first byte
//! of their frame; the kernel never merges two such batches in one read, so batches and the frames that want them come in
//! the same order.

use std::{
    collections::VecDeque,
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg,
        sendmsg,
    },
};

use super::wire::{Garbled, LONGEST};

/// The most descriptors that come with one frame.
const MOST_FDS: usize = 3;
const CHUNK: usize = 64 * 1024;

/// Sends a whole frame, waiting while the socket is full. Never raises SIGPIPE.
pub(crate) fn send(socket: BorrowedFd<'_>, frame: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut sent = 0;
    while sent < frame.len() {
        let fds = if sent == 0 { fds } else { &[] };
        sent += send_once(socket, &frame[sent..], fds, SendFlags::empty())?;
    }
    Ok(())
}

/// Sends as much of a frame as there is room for now, and says how much; its descriptors go with the first byte of it.
pub(crate) fn send_what_fits(socket: BorrowedFd<'_>, frame: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    match send_once(socket, frame, fds, SendFlags::DONTWAIT) {
        Err(Errno::AGAIN) => Ok(0),
        sent => sent,
    }
}

fn send_once(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>], flags: SendFlags) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    loop {
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(fds));
        }
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags | SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            sent => return sent,
        }
    }
}

/// The receiving end's buffer: bytes that are no whole frame yet, and descriptors whose frame has not been read yet.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// Where the unread part of `bytes` begins.
    read: usize,
    batches: VecDeque<Vec<OwnedFd>>,
}

/// What [`Inbox::fill`] met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Something came.
    Some,
    /// Nothing is there now.
    Nothing,
    /// The other side is gone.
    End,
}

impl Inbox {
    /// Receives once; waits if `wait` and nothing is there.
    pub(crate) fn fill(&mut self, socket: impl AsFd, wait: bool) -> Filled {
        if self.read > 0 {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        let old = self.bytes.len();
        self.bytes.resize(old + CHUNK, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        let received = loop {
            match recvmsg(&socket, &mut [IoSliceMut::new(&mut self.bytes[old..])], &mut ancillary, flags) {
                Err(Errno::INTR) => {}
                received => break received,
            }
        };
        let (count, result) = match received {
            Ok(message) => {
                let mut batch = Vec::new();
                for control in ancillary.drain() {
                    if let RecvAncillaryMessage::ScmRights(fds) = control {
                        batch.extend(fds);
                    }
                }
                // A batch cut short, for want of free descriptors, still has its place in the order.
                if !batch.is_empty() || message.flags.contains(ReturnFlags::CTRUNC) {
                    self.batches.push_back(batch);
                }
                (message.bytes, if message.bytes == 0 { Filled::End } else { Filled::Some })
            }
            Err(Errno::AGAIN) => (0, Filled::Nothing),
            // Reset by a peer that died with our bytes unread.
            Err(_) => (0, Filled::End),
        };
        self.bytes.truncate(old + count);
        result
    }

    /// The next whole frame, its length taken off.
    pub(crate) fn frame(&mut self) -> Result<Option<&[u8]>, Garbled> {
        let unread = &self.bytes[self.read..];
        let Some(header) = unread.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*header) as usize;
        if length > LONGEST {
            return Err(Garbled);
        }
        if unread.len() < 4 + length {
            return Ok(None);
        }
        let start = self.read + 4;
        self.read = start + length;
        Ok(Some(&self.bytes[start..self.read]))
    }

    /// The descriptors that came with the frame just read.
    pub(crate) fn descriptors(&mut self) -> Vec<OwnedFd> {
        self.batches.pop_front().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Write},
        os::unix::net::UnixStream,
    };

    use super::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_le_bytes()[..], body].concat()
    }

    #[test]
    fn frames_and_their_descriptors_arrive_in_order_however_the_bytes_are_cut() {
        let (a, b) = UnixStream::pair().expect("a socket pair");
        let sender = std::thread::spawn(move || {
            for n in 0..50_u8 {
                let (reader, mut writer) = std::io::pipe().expect("a pipe");
                writer.write_all(&[n]).expect("room");
                let body = vec![n; usize::from(n) * 5000];
                let fds = [reader.as_fd()];
                send(a.as_fd(), &framed(&body), if n % 2 == 0 { &fds } else { &[] }).expect("the other side reads");
            }
        });
        let mut inbox = Inbox::default();
        let mut next = 0;
        loop {
            let filled = inbox.fill(&b, true);
            while let Some(frame) = inbox.frame().expect("frames") {
                assert_eq!(frame.len(), usize::from(next) * 5000);
                assert!(frame.iter().all(|byte| *byte == next));
                if next % 2 == 0 {
                    let mut fds = inbox.descriptors();
                    let mut said = [0];
                    File::from(fds.pop().expect("one came along")).read_exact(&mut said).expect("one byte is in it");
                    assert_eq!((said[0], fds.len()), (next, 0));
                }
                next += 1;
            }
            if filled == Filled::End {
                break;
            }
        }
        sender.join().expect("it does not panic");
        assert_eq!(next, 50);
    }

    #[test]
    fn a_frame_of_absurd_length_is_refused_before_it_is_read() {
        let (a, b) = UnixStream::pair().expect("a socket pair");
        send(a.as_fd(), &u32::MAX.to_le_bytes(), &[]).expect("room");
        let mut inbox = Inbox::default();
        assert_eq!(inbox.fill(&b, false), Filled::Some);
        assert_eq!(inbox.frame(), Err(Garbled));
        assert_eq!(inbox.fill(&b, false), Filled::Nothing);
        drop(a);
        assert_eq!(inbox.fill(&b, false), Filled::End);
    }
}
