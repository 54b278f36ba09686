//! What supervisor and guardian say to each other, as bytes.
//!
//! A frame is a little-endian `u32` length and that many bytes: a tag and its fields, numbers little-endian, texts and paths
//! as length and bytes. Both ends are the same build (the handshake sees to that), so there are no versions in here. A
//! `Spawn` frame comes with the child's descriptors beside it, see [`socket`](super::socket).

use std::{
    ffi::OsString,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use crate::model::{Containment, Exit, Limits, Signal};

use super::{Launch, Member, Order, SpawnError, TakenTerminal, TreeEvent, TreeId, TreeSample, Usage};

/// A frame that is longer than this is none of ours.
pub(crate) const LONGEST: usize = 64 << 20;

/// A frame that cannot be read: the other side is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of the guardian protocol cannot be read")]
pub(crate) struct Garbled;

type Read<T> = Result<T, Garbled>;

/// What each side says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// The supervisor: who it is, the soft limit on descriptors for children, which tags to use, by what trees are to be held
    /// together, and the control group for that.
    Welcome { version: String, open_files: u64, tags: std::ops::Range<u64>, containment: Containment, group: Option<PathBuf> },
    /// The guardian: who it is.
    Hello { version: String },
    /// The guardian: it cannot hold trees together by what was asked for.
    Refused { why: String },
}

/// What the guardian says after that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Event(TreeEvent),
    /// Its last words, before it dies of a bug.
    LastWords(String),
}

/// Writes fields.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    fn new(tag: u8) -> Self {
        Self(vec![0, 0, 0, 0, tag])
    }

    /// The frame, its length filled in.
    fn frame(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }

    fn u8(mut self, n: u8) -> Self {
        self.0.push(n);
        self
    }

    fn u32(mut self, n: u32) -> Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }

    fn u64(mut self, n: u64) -> Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }

    fn i32(self, n: i32) -> Self {
        self.u32(n.cast_unsigned())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn path(self, path: &Path) -> Self {
        self.bytes(path.as_os_str().as_bytes())
    }

    fn duration(self, d: Duration) -> Self {
        self.u64(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }

    fn option<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.u8(0),
            Some(value) => write(self.u8(1), value),
        }
    }

    fn list<T>(self, all: &[T], write: impl Fn(Self, &T) -> Self) -> Self {
        all.iter().fold(self.u32(all.len() as u32), write)
    }
}

/// Reads fields.
struct Reader<'f>(&'f [u8]);

impl<'f> Reader<'f> {
    fn take(&mut self, length: usize) -> Read<&'f [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Garbled)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Garbled)
    }

    fn u8(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn bool(&mut self) -> Read<bool> {
        Ok(self.u8()? != 0)
    }

    fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i32(&mut self) -> Read<i32> {
        self.u32().map(u32::cast_signed)
    }

    fn bytes(&mut self) -> Read<&'f [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    fn text(&mut self) -> Read<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Garbled)
    }

    fn os(&mut self) -> Read<OsString> {
        Ok(OsString::from_vec(self.bytes()?.to_vec()))
    }

    fn path(&mut self) -> Read<PathBuf> {
        Ok(PathBuf::from(self.os()?))
    }

    fn tree(&mut self) -> Read<TreeId> {
        self.u64().map(TreeId)
    }

    fn duration(&mut self) -> Read<Duration> {
        self.u64().map(Duration::from_nanos)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.u32()?;
        (0..count).map(|_| read(self)).collect()
    }

    fn end(self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Garbled) }
    }
}

/// Reads a whole frame, its length taken off, with `read`.
fn whole<T>(frame: &[u8], read: impl FnOnce(u8, &mut Reader) -> Read<T>) -> Read<T> {
    let mut reader = Reader(frame);
    let tag = reader.u8()?;
    let value = read(tag, &mut reader)?;
    reader.end()?;
    Ok(value)
}

pub(crate) fn greeting_frame(greeting: &Greeting) -> Vec<u8> {
    match greeting {
        Greeting::Welcome { version, open_files, tags, containment, group } => {
            let writer = Writer::new(b'W').text(version).u64(*open_files).u64(tags.start).u64(tags.end);
            writer.text(containment.word()).option(group.as_deref(), Writer::path).frame()
        }
        Greeting::Refused { why } => Writer::new(b'R').text(why).frame(),
        Greeting::Hello { version } => Writer::new(b'H').text(version).frame(),
    }
}

pub(crate) fn read_greeting(frame: &[u8]) -> Read<Greeting> {
    whole(frame, |tag, r| match tag {
        b'W' => Ok(Greeting::Welcome {
            version: r.text()?,
            open_files: r.u64()?,
            tags: r.u64()?..r.u64()?,
            containment: Containment::named(&r.text()?).ok_or(Garbled)?,
            group: r.option(Reader::path)?,
        }),
        b'R' => Ok(Greeting::Refused { why: r.text()? }),
        b'H' => Ok(Greeting::Hello { version: r.text()? }),
        _ => Err(Garbled),
    })
}

/// An order and the descriptors that go with it: stdout, stderr, and stdin if there is one.
pub(crate) fn order_frame(order: &Order) -> (Vec<u8>, Vec<BorrowedFd<'_>>) {
    let plain = |tag, tree: &TreeId| Writer::new(tag).u64(tree.0);
    let writer = match order {
        Order::Spawn { tree, launch } => {
            let fds = [Some(&launch.stdout), Some(&launch.stderr), launch.stdin.as_ref()];
            let frame = write_launch(plain(b's', tree), launch).frame();
            return (frame, fds.into_iter().flatten().map(AsFd::as_fd).collect());
        }
        Order::Terminal { taken: None } => Writer::new(b'T'),
        Order::Terminal { taken: Some(TakenTerminal { fd, modes, leave, group, session }) } => {
            let writer = Writer::new(b't').u32(*group).u32(*session).bytes(leave);
            return (modes.iter().fold(writer, |w, mode| w.u32(*mode)).frame(), vec![fd.as_fd()]);
        }
        Order::StandStill => Writer::new(b'z'),
        Order::GoOn => Writer::new(b'Z'),
        Order::Signal { tree, signal } => plain(b'g', tree).i32(signal.0),
        Order::Kill { tree } => plain(b'k', tree),
        Order::AwaitEmpty { tree } => plain(b'e', tree),
        Order::Census { tree } => plain(b'c', tree),
        Order::Forget { tree } => plain(b'f', tree),
        Order::Sample { trees, whole } => Writer::new(if *whole { b'M' } else { b'm' }).list(trees, |w, tree| w.u64(tree.0)),
    };
    (writer.frame(), Vec::new())
}

/// How many descriptors come with this frame, if any do, and for which tree.
pub(crate) fn expects_descriptors(frame: &[u8]) -> Option<(TreeId, usize)> {
    let mut reader = Reader(frame);
    match reader.u8().ok()? {
        b's' => Some((reader.tree().ok()?, 2 + usize::from(reader.bool().ok()?))),
        // Of no tree.
        b't' => Some((TreeId(0), 1)),
        _ => None,
    }
}

pub(crate) fn read_order(frame: &[u8], fds: Vec<OwnedFd>) -> Read<Order> {
    whole(frame, |tag, r| {
        Ok(match tag {
            b's' => Order::Spawn { tree: r.tree()?, launch: Box::new(read_launch(r, fds)?) },
            b'z' => Order::StandStill,
            b'Z' => Order::GoOn,
            b'T' => Order::Terminal { taken: None },
            b't' => Order::Terminal {
                taken: Some(TakenTerminal {
                    fd: fds.into_iter().next().ok_or(Garbled)?,
                    group: r.u32()?,
                    session: r.u32()?,
                    leave: r.bytes()?.to_vec(),
                    modes: [r.u32()?, r.u32()?, r.u32()?, r.u32()?],
                }),
            },
            b'g' => Order::Signal { tree: r.tree()?, signal: Signal(r.i32()?) },
            b'k' => Order::Kill { tree: r.tree()? },
            b'e' => Order::AwaitEmpty { tree: r.tree()? },
            b'c' => Order::Census { tree: r.tree()? },
            b'f' => Order::Forget { tree: r.tree()? },
            b'm' | b'M' => Order::Sample { trees: r.list(Reader::tree)?, whole: tag == b'M' },
            _ => return Err(Garbled),
        })
    })
}

fn write_launch(writer: Writer, launch: &Launch) -> Writer {
    let Limits { memory, open_files, processes, cpu_time, cpu, address_space } = launch.limits;
    let pair = |w: Writer, (name, value): &(OsString, OsString)| w.bytes(name.as_bytes()).bytes(value.as_bytes());
    writer
        .u8(u8::from(launch.stdin.is_some()))
        .list(&launch.argv, |w, argument| w.text(argument))
        .path(&launch.program)
        .list(&launch.env, pair)
        .path(&launch.cwd)
        .option(memory, Writer::u64)
        .option(open_files, Writer::u64)
        .option(processes, Writer::u64)
        .option(cpu_time, Writer::duration)
        .option(cpu, |w, cores| w.u64(cores.to_bits()))
        .option(address_space, Writer::u64)
        .u8(u8::from(launch.tty))
}

fn read_launch(r: &mut Reader, fds: Vec<OwnedFd>) -> Read<Launch> {
    let with_stdin = r.bool()?;
    let mut fds = fds.into_iter();
    let (stdout, stderr) = (fds.next().ok_or(Garbled)?, fds.next().ok_or(Garbled)?);
    let stdin = if with_stdin { Some(fds.next().ok_or(Garbled)?) } else { None };
    Ok(Launch {
        argv: r.list(Reader::text)?,
        program: r.path()?,
        env: r.list(|r| Ok((r.os()?, r.os()?)))?,
        cwd: r.path()?,
        stdin,
        stdout,
        stderr,
        limits: Limits {
            memory: r.option(Reader::u64)?,
            open_files: r.option(Reader::u64)?,
            processes: r.option(Reader::u64)?,
            cpu_time: r.option(Reader::duration)?,
            cpu: r.option(Reader::u64)?.map(f64::from_bits),
            address_space: r.option(Reader::u64)?,
        },
        tty: r.bool()?,
    })
}

pub(crate) fn last_words_frame(words: &str) -> Vec<u8> {
    Writer::new(b'!').text(words).frame()
}

pub(crate) fn event_frame(event: &TreeEvent) -> Vec<u8> {
    let plain = |tag, tree: &TreeId| Writer::new(tag).u64(tree.0);
    let pids = |w: Writer, all: &[u32]| w.list(all, |w, pid| w.u32(*pid));
    match event {
        TreeEvent::Spawned { tree, pid } => plain(b'S', tree).u32(*pid),
        TreeEvent::SpawnFailed { tree, error } => write_error(plain(b'F', tree), error),
        TreeEvent::Exited { tree, exit, usage } => {
            let (kind, number) = match exit {
                Exit::Code(code) => (0, *code),
                Exit::Signal(signal) => (1, signal.0),
            };
            plain(b'X', tree).u8(kind).i32(number).duration(usage.user).duration(usage.system).u64(usage.max_rss)
        }
        TreeEvent::OutOfMemory { tree, own_limit } => plain(b'O', tree).u8(u8::from(*own_limit)),
        TreeEvent::Empty { tree } => plain(b'E', tree),
        TreeEvent::Members { tree, members } => {
            plain(b'M', tree).list(members, |w, member| w.u32(member.pid).u32(member.ppid).text(&member.command))
        }
        TreeEvent::Stuck { tree, pids: all, why } => pids(plain(b'T', tree), all).text(why),
        TreeEvent::StandStill => Writer::new(b'Z'),
        TreeEvent::Sampled { trees } => {
            Writer::new(b'U').list(trees, |w, sample| pids(w.u64(sample.tree.0).duration(sample.cpu).u64(sample.memory), &sample.pids))
        }
        TreeEvent::Unproven { tree, pid, name } => plain(b'P', tree).u32(*pid).text(name),
        TreeEvent::Notice { tree, text } => Writer::new(b'N').option(*tree, |w, tree| w.u64(tree.0)).text(text),
        TreeEvent::Lost { why, left } => pids(Writer::new(b'L').text(why), left),
    }
    .frame()
}

pub(crate) fn read_said(frame: &[u8]) -> Read<Said> {
    whole(frame, |tag, r| {
        Ok(Said::Event(match tag {
            b'S' => TreeEvent::Spawned { tree: r.tree()?, pid: r.u32()? },
            b'F' => TreeEvent::SpawnFailed { tree: r.tree()?, error: read_error(r)? },
            b'X' => TreeEvent::Exited { tree: r.tree()?, exit: read_exit(r)?, usage: read_usage(r)? },
            b'O' => TreeEvent::OutOfMemory { tree: r.tree()?, own_limit: r.bool()? },
            b'E' => TreeEvent::Empty { tree: r.tree()? },
            b'M' => TreeEvent::Members { tree: r.tree()?, members: r.list(read_member)? },
            b'T' => TreeEvent::Stuck { tree: r.tree()?, pids: r.list(Reader::u32)?, why: r.text()? },
            b'U' => TreeEvent::Sampled { trees: r.list(read_sample)? },
            b'P' => TreeEvent::Unproven { tree: r.tree()?, pid: r.u32()?, name: r.text()? },
            b'N' => TreeEvent::Notice { tree: r.option(Reader::tree)?, text: r.text()? },
            b'Z' => TreeEvent::StandStill,
            b'L' => TreeEvent::Lost { why: r.text()?, left: r.list(Reader::u32)? },
            b'!' => return Ok(Said::LastWords(r.text()?)),
            _ => return Err(Garbled),
        }))
    })
}

fn read_exit(r: &mut Reader) -> Read<Exit> {
    match r.u8()? {
        0 => Ok(Exit::Code(r.i32()?)),
        1 => Ok(Exit::Signal(Signal(r.i32()?))),
        _ => Err(Garbled),
    }
}

fn read_usage(r: &mut Reader) -> Read<Usage> {
    Ok(Usage { user: r.duration()?, system: r.duration()?, max_rss: r.u64()? })
}

fn read_member(r: &mut Reader) -> Read<Member> {
    Ok(Member { pid: r.u32()?, ppid: r.u32()?, command: r.text()? })
}

fn read_sample(r: &mut Reader) -> Read<TreeSample> {
    Ok(TreeSample { tree: r.tree()?, cpu: r.duration()?, memory: r.u64()?, pids: r.list(Reader::u32)? })
}

fn write_error(w: Writer, error: &SpawnError) -> Writer {
    let hint = |w: Writer, hint: &Option<String>| w.option(hint.as_deref(), Writer::text);
    match error {
        SpawnError::NotFound { program, searched, hint: h } => hint(w.u8(0).text(program).list(searched, |w, dir| w.path(dir)), h),
        SpawnError::NoSuchFile { path, hint: h } => hint(w.u8(1).path(path), h),
        SpawnError::NotExecutable { path, why, hint: h } => hint(w.u8(2).path(path).text(why), h),
        SpawnError::NoInterpreter { path, interpreter, hint: h } => hint(w.u8(3).path(path).text(interpreter), h),
        SpawnError::WorkingDirectory { cwd, errno } => w.u8(4).path(cwd).i32(*errno),
        SpawnError::Exec { path, errno, hint: h } => hint(w.u8(5).path(path).i32(*errno), h),
        SpawnError::Busy { path, attempts } => w.u8(6).path(path).u32(*attempts),
        SpawnError::NulByte { what } => w.u8(7).text(what),
        SpawnError::System { program, step, errno } => w.u8(8).path(program).text(step).i32(*errno),
    }
}

fn read_error(r: &mut Reader) -> Read<SpawnError> {
    let kind = r.u8()?;
    let hint = |r: &mut Reader| r.option(Reader::text);
    Ok(match kind {
        0 => SpawnError::NotFound { program: r.text()?, searched: r.list(Reader::path)?, hint: hint(r)? },
        1 => SpawnError::NoSuchFile { path: r.path()?, hint: hint(r)? },
        2 => SpawnError::NotExecutable { path: r.path()?, why: r.text()?, hint: hint(r)? },
        3 => SpawnError::NoInterpreter { path: r.path()?, interpreter: r.text()?, hint: hint(r)? },
        4 => SpawnError::WorkingDirectory { cwd: r.path()?, errno: r.i32()? },
        5 => SpawnError::Exec { path: r.path()?, errno: r.i32()?, hint: hint(r)? },
        6 => SpawnError::Busy { path: r.path()?, attempts: r.u32()? },
        7 => SpawnError::NulByte { what: r.text()? },
        8 => SpawnError::System { program: r.path()?, step: r.text()?, errno: r.i32()? },
        _ => return Err(Garbled),
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use proptest::prelude::*;

    use super::*;

    fn order_round_trip(order: &Order) -> Order {
        let (frame, fds) = order_frame(order);
        let owned: Vec<OwnedFd> = fds.iter().map(|fd| fd.try_clone_to_owned().expect("descriptors")).collect();
        assert_eq!(u32::from_le_bytes(frame[..4].try_into().expect("four bytes")) as usize, frame.len() - 4);
        assert_eq!(expects_descriptors(&frame[4..]).map(|(_, n)| n), (!fds.is_empty()).then_some(fds.len()));
        read_order(&frame[4..], owned).expect("what was written")
    }

    #[test]
    fn a_launch_arrives_as_it_was_sent() {
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").expect("exists"));
        let launch = Launch {
            argv: vec!["sh".into(), "-c".into(), "exit 3".into()],
            program: "/bin/sh".into(),
            env: vec![("NAME".into(), OsString::from_vec(vec![0xff, b'x']))],
            cwd: OsStr::from_bytes(b"/tmp/\xfe").into(),
            stdin: Some(null()),
            stdout: null(),
            stderr: null(),
            limits: Limits { cpu: Some(0.5), cpu_time: Some(Duration::from_secs(3)), open_files: Some(64), ..Limits::default() },
            tty: true,
        };
        let Order::Spawn { tree, launch: read } = order_round_trip(&Order::Spawn { tree: TreeId(9), launch: Box::new(launch) }) else {
            panic!("another order")
        };
        assert_eq!((tree, read.argv.len(), read.program), (TreeId(9), 3, "/bin/sh".into()));
        assert_eq!(read.env, [("NAME".into(), OsString::from_vec(vec![0xff, b'x']))]);
        assert_eq!(read.cwd.as_os_str().as_bytes(), b"/tmp/\xfe");
        assert_eq!((read.limits.cpu, read.limits.cpu_time, read.limits.open_files), (Some(0.5), Some(Duration::from_secs(3)), Some(64)));
        assert!(read.tty && read.stdin.is_some());
    }

    #[test]
    fn a_terminal_arrives_with_all_that_gives_it_back() {
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").expect("exists"));
        let taken = TakenTerminal { fd: null(), modes: [1, 2, 3, u32::MAX], leave: b"\x1b[0m".to_vec(), group: 7, session: 8 };
        let Order::Terminal { taken: Some(read) } = order_round_trip(&Order::Terminal { taken: Some(taken) }) else {
            panic!("another order")
        };
        assert_eq!((read.modes, read.leave.as_slice(), read.group, read.session), ([1, 2, 3, u32::MAX], &b"\x1b[0m"[..], 7, 8));
        assert!(matches!(order_round_trip(&Order::Terminal { taken: None }), Order::Terminal { taken: None }));
    }

    #[test]
    fn plain_orders_arrive_as_they_were_sent() {
        for order in [
            Order::Signal { tree: TreeId(1), signal: Signal(34) },
            Order::Kill { tree: TreeId(2) },
            Order::AwaitEmpty { tree: TreeId(3) },
            Order::Census { tree: TreeId(u64::MAX) },
            Order::Forget { tree: TreeId(5) },
            Order::Sample { trees: vec![TreeId(6), TreeId(7)], whole: false },
            Order::Sample { trees: vec![TreeId(8)], whole: true },
            Order::StandStill,
            Order::GoOn,
        ] {
            assert_eq!(format!("{:?}", order_round_trip(&order)), format!("{order:?}"));
        }
    }

    fn text() -> impl Strategy<Value = String> {
        ".{0,12}"
    }

    fn error() -> impl Strategy<Value = SpawnError> {
        let path = || text().prop_map(PathBuf::from);
        let hint = || proptest::option::of(text());
        prop_oneof![
            (text(), proptest::collection::vec(path(), 0..3), hint()).prop_map(|(program, searched, hint)| SpawnError::NotFound {
                program,
                searched,
                hint
            }),
            (path(), hint()).prop_map(|(path, hint)| SpawnError::NoSuchFile { path, hint }),
            (path(), text(), hint()).prop_map(|(path, why, hint)| SpawnError::NotExecutable { path, why, hint }),
            (path(), text(), hint()).prop_map(|(path, interpreter, hint)| SpawnError::NoInterpreter { path, interpreter, hint }),
            (path(), any::<i32>()).prop_map(|(cwd, errno)| SpawnError::WorkingDirectory { cwd, errno }),
            (path(), any::<i32>(), hint()).prop_map(|(path, errno, hint)| SpawnError::Exec { path, errno, hint }),
            (path(), any::<u32>()).prop_map(|(path, attempts)| SpawnError::Busy { path, attempts }),
            text().prop_map(|what| SpawnError::NulByte { what }),
            (path(), text(), any::<i32>()).prop_map(|(program, step, errno)| SpawnError::System { program, step, errno }),
        ]
    }

    fn event() -> impl Strategy<Value = TreeEvent> {
        let tree = || any::<u64>().prop_map(TreeId);
        let pids = || proptest::collection::vec(any::<u32>(), 0..4);
        let exit = prop_oneof![any::<i32>().prop_map(Exit::Code), any::<i32>().prop_map(|n| Exit::Signal(Signal(n)))];
        let time = || any::<u32>().prop_map(|ms| Duration::from_millis(u64::from(ms)));
        let usage = (time(), time(), any::<u64>()).prop_map(|(user, system, max_rss)| Usage { user, system, max_rss });
        let member = (any::<u32>(), any::<u32>(), text()).prop_map(|(pid, ppid, command)| Member { pid, ppid, command });
        let sample = (tree(), time(), any::<u64>(), pids()).prop_map(|(tree, cpu, memory, pids)| TreeSample { tree, cpu, memory, pids });
        prop_oneof![
            (tree(), any::<u32>()).prop_map(|(tree, pid)| TreeEvent::Spawned { tree, pid }),
            (tree(), error()).prop_map(|(tree, error)| TreeEvent::SpawnFailed { tree, error }),
            (tree(), exit, usage).prop_map(|(tree, exit, usage)| TreeEvent::Exited { tree, exit, usage }),
            (tree(), any::<bool>()).prop_map(|(tree, own_limit)| TreeEvent::OutOfMemory { tree, own_limit }),
            tree().prop_map(|tree| TreeEvent::Empty { tree }),
            (tree(), proptest::collection::vec(member, 0..4)).prop_map(|(tree, members)| TreeEvent::Members { tree, members }),
            (tree(), pids(), text()).prop_map(|(tree, pids, why)| TreeEvent::Stuck { tree, pids, why }),
            proptest::collection::vec(sample, 0..3).prop_map(|trees| TreeEvent::Sampled { trees }),
            Just(TreeEvent::StandStill),
            (tree(), any::<u32>(), text()).prop_map(|(tree, pid, name)| TreeEvent::Unproven { tree, pid, name }),
            (proptest::option::of(tree()), text()).prop_map(|(tree, text)| TreeEvent::Notice { tree, text }),
            (text(), pids()).prop_map(|(why, left)| TreeEvent::Lost { why, left }),
        ]
    }

    proptest! {
        #[test]
        fn events_arrive_as_they_were_sent(event in event()) {
            let frame = event_frame(&event);
            prop_assert_eq!(read_said(&frame[4..]), Ok(Said::Event(event)));
        }

        #[test]
        fn garbage_is_refused_without_a_panic(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
            _ = read_said(&frame);
            _ = read_greeting(&frame);
            _ = read_order(&frame, Vec::new());
        }
    }
}
