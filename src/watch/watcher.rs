//! The thread that watches.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    debounce::Debounce,
    folders::{Folders, Happened, entries},
    scratch::is_scratch,
};
use crate::model::{ProcessId, WatchGlob};

/// Whose files are watched, and which.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) process: ProcessId,
    pub(crate) globs: Vec<WatchGlob>,
}

/// What a watcher has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WatchNews {
    /// A file has changed, and so many others with it.
    Changed { process: ProcessId, file: PathBuf, more: usize },
    /// Not everything can be watched, and what to do about it.
    Trouble(String),
}

/// So many times the system is asked for events before anything else is done.
const MOST_READS: usize = 16;
/// So many times a root is looked for while somebody moves the folders above it.
const MOST_LOOKS: usize = 100;

/// A thread that watches until this is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    _ends_it: OwnedFd,
}

impl Watcher {
    /// Watches for `wanted`, but not what is written below `ours`. Returns at once; folders are looked through on the thread.
    pub(crate) fn start(wanted: Vec<Wanted>, ours: Vec<PathBuf>, tell: impl Fn(WatchNews) + Send + 'static) -> io::Result<Self> {
        let (ended, ends_it) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        thread::Builder::new().name("file watcher".into()).spawn(move || match Folders::new() {
            Ok(folders) => {
                let wanted = wanted.into_iter().map(|one| (one, Debounce::default())).collect();
                Watch { folders, wanted, ours, ended, troubles: Vec::new(), tell }.run();
            }
            Err(error) => tell(WatchNews::Trouble(no_watcher(error))),
        })?;
        Ok(Self { _ends_it: ends_it })
    }
}

/// The thread's own.
struct Watch<F> {
    folders: Folders,
    wanted: Vec<(Wanted, Debounce)>,
    ours: Vec<PathBuf>,
    /// At its end when the watcher was dropped.
    ended: OwnedFd,
    /// What was told already.
    troubles: Vec<Errno>,
    tell: F,
}

/// What has come of watching a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    New,
    Before,
    /// It was there a moment ago.
    Gone,
    Refused(Errno),
}

impl From<Result<bool, Errno>> for Added {
    fn from(added: Result<bool, Errno>) -> Self {
        match added {
            Ok(true) => Self::New,
            Ok(false) => Self::Before,
            Err(Errno::ENOENT | Errno::ENOTDIR) => Self::Gone,
            Err(error) => Self::Refused(error),
        }
    }
}

impl Wanted {
    fn wants(&self, file: &Path) -> bool {
        let any = |except: bool| self.globs.iter().any(|glob| glob.is_exception() == except && glob.matches(file));
        any(false) && !any(true)
    }

    /// Whether something in this folder, or further below, may be wanted.
    fn looks_into(&self, folder: &Path) -> bool {
        let left_out = self.globs.iter().any(|glob| glob.is_exception() && glob.covers(folder));
        !left_out && self.globs.iter().any(|glob| !glob.is_exception() && glob.reaches(folder))
    }

    fn roots(&self) -> impl Iterator<Item = &Path> {
        self.globs.iter().filter(|glob| !glob.is_exception()).map(WatchGlob::root)
    }
}

impl<F: Fn(WatchNews)> Watch<F> {
    fn run(mut self) {
        self.look(false);
        loop {
            let due = self.wanted.iter().filter_map(|(_, debounce)| debounce.due()).min();
            // A millisecond more than is left: waking early would be waking twice.
            let wait = due.map(|due| due.saturating_duration_since(Instant::now()).as_millis().saturating_add(1));
            let timeout = wait.map_or(PollTimeout::NONE, |ms| PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX));
            let mut fds = [PollFd::new(self.ended.as_fd(), PollFlags::POLLIN), PollFd::new(self.folders.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => continue,
                Err(error) => return tracing::warn!("files are not watched any more: {error}"),
                Ok(_) if fds[0].any().unwrap_or(true) => return,
                Ok(_) => {}
            }
            self.take_events();
            // Also while events keep coming: a flood must keep nobody from being told, nor this from ending.
            self.tell_what_is_due(Instant::now());
        }
    }

    /// Takes what has happened, a part of it where it is much.
    fn take_events(&mut self) {
        let mut look_again = false;
        for _ in 0..MOST_READS {
            let happened = self.folders.read();
            if happened.is_empty() {
                break;
            }
            for one in happened {
                match one {
                    Happened::File(path) => {
                        // Links are files here, and one may have led to what is watched.
                        if self.leads_to_a_root(&path) && path.is_dir() {
                            self.folders.forget(&path);
                            look_again = true;
                        }
                        self.note(&path);
                    }
                    Happened::FolderMoved(path) => self.note_folder(&path),
                    Happened::NewFolder(path) | Happened::WatchedGone(path) if self.leads_to_a_root(&path) => look_again = true,
                    // Where one is gone there may be another by now.
                    Happened::NewFolder(path) | Happened::WatchedGone(path) => self.walk(path, true),
                    Happened::Overflow => {
                        // Which of the folders are still what they were nobody knows.
                        self.folders.clear();
                        self.look(false);
                        self.note_all();
                    }
                }
            }
        }
        if look_again {
            self.look(true);
        }
    }

    /// Looks through everything that is to be watched. With `late`, files in folders that are new are changes.
    fn look(&mut self, late: bool) {
        let mut roots: Vec<PathBuf> = self.wanted.iter().flat_map(|(wanted, _)| wanted.roots().map(Path::to_owned)).collect();
        roots.sort();
        roots.dedup();
        for root in roots {
            // What comes or goes between a question and the watch is not told, so it is asked again.
            let _found = (0..MOST_LOOKS).any(|_| self.look_for(&root, late));
        }
    }

    /// Watches a root, or the folder that it will appear in, and that those above stay where they are. False: something has
    /// changed meanwhile.
    fn look_for(&mut self, root: &Path, late: bool) -> bool {
        let Some(above) = root.ancestors().skip(1).find(|above| above.is_dir()) else { return true };
        // A file is seen in its folder, also when it is replaced; what is not there yet, where it will appear; a link that is made
        // to lead elsewhere, where it stands.
        let is_folder = root.is_dir() && !root.is_symlink();
        let added = if is_folder { self.folders.add_itself(above).into() } else { self.add(above) };
        let further = above.ancestors().skip(1).all(|further| Added::from(self.folders.add_itself(further)) != Added::Gone);
        if added == Added::Gone || !further {
            return false;
        }
        if root.is_dir() {
            self.walk(root.to_owned(), late);
            return true;
        }
        if added == Added::New && late && root.exists() {
            self.note(root);
        }
        root.ancestors().find(|there| there.is_dir()) == Some(above)
    }

    fn leads_to_a_root(&self, folder: &Path) -> bool {
        self.wanted.iter().any(|(wanted, _)| wanted.roots().any(|root| root.starts_with(folder)))
    }

    fn walk(&mut self, top: PathBuf, late: bool) {
        let mut folders = vec![top];
        while let Some(folder) = folders.pop() {
            if self.is_ours(&folder) || !self.wanted.iter().any(|(wanted, _)| wanted.looks_into(&folder)) {
                continue;
            }
            // First watched, then read: what comes in between is seen twice rather than never.
            let is_new = self.add(&folder) == Added::New;
            let Ok((files, below)) = entries(&folder) else { continue };
            if is_new && late {
                for file in &files {
                    self.note(file);
                }
            }
            folders.extend(below);
        }
    }

    /// Watches a folder, and says so if it cannot be.
    fn add(&mut self, folder: &Path) -> Added {
        let added = Added::from(self.folders.add(folder));
        if let Added::Refused(error) = added
            && !self.troubles.contains(&error)
        {
            self.troubles.push(error);
            (self.tell)(WatchNews::Trouble(not_watched(error, folder, self.folders.count())));
        }
        added
    }

    /// Whether a folder is one that the run itself writes to. Whoever watches a folder in there means it.
    fn is_ours(&self, folder: &Path) -> bool {
        let meant = |ours: &Path| self.wanted.iter().any(|(wanted, _)| wanted.roots().any(|root| root.starts_with(ours)));
        self.ours.iter().any(|ours| folder.starts_with(ours) && !meant(ours))
    }

    fn note(&mut self, file: &Path) {
        if file.file_name().is_some_and(is_scratch) {
            return;
        }
        for (_, debounce) in self.wanted.iter_mut().filter(|(wanted, _)| wanted.wants(file)) {
            debounce.note(file.to_owned(), Instant::now());
        }
    }

    /// A folder went as a whole: what was in it is not told one by one.
    fn note_folder(&mut self, folder: &Path) {
        let inside = |wanted: &Wanted| wanted.looks_into(folder) || wanted.roots().any(|root| root.starts_with(folder));
        if self.is_ours(folder) {
            return;
        }
        for (_, debounce) in self.wanted.iter_mut().filter(|(wanted, _)| inside(wanted)) {
            debounce.note(folder.to_owned(), Instant::now());
        }
    }

    /// Something has changed, nobody knows what.
    fn note_all(&mut self) {
        for (wanted, debounce) in &mut self.wanted {
            let root = wanted.roots().next().map(Path::to_owned);
            debounce.note(root.unwrap_or_default(), Instant::now());
        }
    }

    fn tell_what_is_due(&mut self, now: Instant) {
        for (wanted, debounce) in &mut self.wanted {
            if let Some((file, more)) = debounce.take(now) {
                (self.tell)(WatchNews::Changed { process: wanted.process.clone(), file, more });
            }
        }
    }
}

/// A setting of the system, if it can be read: ` (8192)`.
fn limit(name: &str) -> String {
    let value = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"));
    value.map(|value| format!(" ({})", value.trim())).unwrap_or_default()
}

/// Why a folder is not watched.
fn not_watched(error: Errno, folder: &Path, count: usize) -> String {
    match error {
        Errno::ENOSPC => format!(
            "fs.inotify.max_user_watches{} is reached with {count} folders watched: changes elsewhere, {} for one, restart nothing. \
             Raise it (sudo sysctl fs.inotify.max_user_watches=524288), or leave folders out: watch = [\"**\", \"!target/**\"]",
            limit("max_user_watches"),
            folder.display()
        ),
        error => format!("{} cannot be watched, and changes in it restart nothing: {}", folder.display(), error.desc()),
    }
}

/// Why nothing is watched.
fn no_watcher(error: Errno) -> String {
    match error {
        Errno::EMFILE => format!(
            "no files are watched, and changes restart nothing: fs.inotify.max_user_instances{} is reached, or no descriptor is left. \
             Raise it (sudo sysctl fs.inotify.max_user_instances=512)",
            limit("max_user_instances")
        ),
        error => format!("no files are watched, and changes restart nothing: {}", error.desc()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::mpsc::{Receiver, RecvTimeoutError, channel},
        time::Duration,
    };

    use super::*;

    /// Longer than a change takes to be told, on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A folder that comes behind all others.
    const LAST: &str = "\u{10ffff}";

    struct Place {
        dir: tempfile::TempDir,
        told: Receiver<WatchNews>,
        _watcher: Watcher,
    }

    impl Place {
        /// Watches these globs in a folder with these files, and has looked through it.
        fn new(globs: &[&str], files: &[&str]) -> Self {
            Self::with(globs, files, |_| Vec::new())
        }

        fn with(globs: &[&str], files: &[&str], ours: impl Fn(&Path) -> Vec<PathBuf>) -> Self {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let root = dir.path().canonicalize().expect("it is there");
            for file in files {
                write(&root.join(file));
            }
            let glob = |text: &str| WatchGlob::parse(text, |plain| root.join(plain.trim_end_matches('/'))).expect("a glob");
            // What is looked through last is seen as soon as everything is watched.
            fs::create_dir(root.join(LAST)).expect("a folder");
            let last = root.join(LAST).join("x");
            let not_last = [format!("!{LAST}")];
            let globs = globs.iter().copied().chain(not_last.iter().map(String::as_str)).map(glob).collect();
            let wanted = vec![
                Wanted { process: ProcessId::new("web").expect("a name"), globs },
                Wanted { process: ProcessId::new("last").expect("a name"), globs: vec![glob(&format!("{LAST}/*"))] },
            ];
            let (tell, told) = channel();
            let watcher = Watcher::start(wanted, ours(&root), move |news| drop(tell.send(news))).expect("a thread");
            while told.recv_timeout(Duration::from_millis(700)) == Err(RecvTimeoutError::Timeout) {
                write(&last);
            }
            Self { dir, told, _watcher: watcher }
        }

        fn root(&self) -> PathBuf {
            self.dir.path().canonicalize().expect("it is there")
        }

        fn next(&self, patience: Duration) -> Option<(PathBuf, usize)> {
            match self.told.recv_timeout(patience) {
                Ok(WatchNews::Changed { file, .. }) if file.parent().is_some_and(|folder| folder.ends_with(LAST)) => self.next(patience),
                Ok(WatchNews::Changed { file, more, .. }) => {
                    Some((file.strip_prefix(self.root()).map(Path::to_owned).unwrap_or(file), more))
                }
                Ok(WatchNews::Trouble(text)) => panic!("{text}"),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => panic!("the watcher has ended"),
            }
        }

        /// What changes is told next, and nothing else with it.
        #[track_caller]
        fn tells(&self, file: &str) {
            assert_eq!(self.next(PATIENCE), Some((file.into(), 0)));
        }

        /// Nothing that was done until now is told: what is done after it comes first.
        #[track_caller]
        fn told_nothing_before(&self, file: &str) {
            write(&self.root().join(file));
            self.tells(file);
        }
    }

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().expect("it has a folder")).and_then(|()| fs::write(path, "x")).expect("it can be written");
    }

    #[test]
    fn a_written_file_is_told_once_and_others_are_not() {
        let place = Place::new(&["src/**/*.rs"], &["src/a/deep/b.rs", "other/c.rs"]);
        for _ in 0..20 {
            write(&place.root().join("src/a/deep/b.rs"));
        }
        place.tells("src/a/deep/b.rs");
        write(&place.root().join("src/a/note.txt"));
        write(&place.root().join("other/c.rs"));
        place.told_nothing_before("src/main.rs");
    }

    #[test]
    fn an_editor_that_renames_over_the_file_is_seen_and_its_own_files_are_not() {
        let place = Place::new(&["conf.toml", "src"], &["conf.toml", "src/main.rs"]);
        let (swap, temporary) = (place.root().join("src/.main.rs.swp"), place.root().join("src/main.rs~"));
        write(&swap);
        write(&temporary);
        fs::rename(&temporary, place.root().join("src/main.rs")).expect("renamed");
        place.tells("src/main.rs");
        write(&place.root().join(".conf.toml.swp"));
        write(&place.root().join("conf.toml.new"));
        fs::rename(place.root().join("conf.toml.new"), place.root().join("conf.toml")).expect("renamed");
        place.tells("conf.toml");
        fs::remove_file(place.root().join("src/main.rs")).expect("removed");
        place.tells("src/main.rs");
    }

    #[test]
    fn folders_that_appear_later_are_watched_with_what_is_in_them_already() {
        let place = Place::new(&["src/**", "later/**/*.js"], &["src/main.rs"]);
        fs::create_dir_all(place.root().join("elsewhere/a/b")).expect("folders");
        write(&place.root().join("elsewhere/a/b/c.rs"));
        fs::rename(place.root().join("elsewhere/a"), place.root().join("src/a")).expect("moved");
        place.tells("src/a/b/c.rs");
        write(&place.root().join("src/a/b/c.rs"));
        place.tells("src/a/b/c.rs");
        fs::rename(place.root().join("src/a"), place.root().join("elsewhere/a")).expect("moved back");
        place.tells("src/a");
        write(&place.root().join("elsewhere/a/b/c.rs"));
        write(&place.root().join("later/on/x.js"));
        place.tells("later/on/x.js");
        fs::remove_dir_all(place.root().join("later")).expect("removed");
        place.tells("later/on/x.js");
        place.told_nothing_before("later/again/y.js");
    }

    #[test]
    fn what_is_left_out_is_not_even_looked_into_and_what_the_run_writes_neither() {
        let files = ["src/main.rs", "target/debug/out.rs", ".git/index", "recordings/run/log", "a/node_modules/b/c.js"];
        let globs = ["**", "!target/**", "!**/node_modules/**"];
        let place = Place::with(&globs, &files, |root| vec![root.join("recordings"), root.to_owned()]);
        for file in &files[1..] {
            write(&place.root().join(file));
        }
        write(&place.root().join("target/release/new/out.rs"));
        place.told_nothing_before("src/main.rs");
    }

    /// The same without the thread, so that what happens comes between two looks and nowhere else.
    struct Still {
        dir: tempfile::TempDir,
        watch: Watch<fn(WatchNews)>,
        _ends_it: OwnedFd,
    }

    impl Still {
        fn new(globs: &[&str], files: &[&str]) -> Self {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let root = dir.path().canonicalize().expect("it is there");
            for file in files {
                write(&root.join(file));
            }
            let glob = |text: &&str| WatchGlob::parse(text, |plain| root.join(plain.trim_end_matches('/'))).expect("a glob");
            let wanted = Wanted { process: ProcessId::new("web").expect("a name"), globs: globs.iter().map(glob).collect() };
            let (ended, ends_it) = nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
            let tell: fn(WatchNews) = |news| panic!("{news:?}");
            let folders = Folders::new().expect("inotify");
            let wanted = vec![(wanted, Debounce::default())];
            let mut watch = Watch { folders, wanted, ours: Vec::new(), ended, troubles: Vec::new(), tell };
            watch.look(false);
            Self { dir, watch, _ends_it: ends_it }
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().canonicalize().expect("it is there").join(path)
        }

        /// The first of what has changed since the last time, and how much with it.
        fn changed(&mut self) -> Option<(PathBuf, usize)> {
            while self.has_more() {
                self.watch.take_events();
            }
            let root = self.at("");
            let (file, more) = self.watch.wanted[0].1.take(Instant::now() + Duration::from_mins(1))?;
            Some((file.strip_prefix(root).map(Path::to_owned).unwrap_or(file), more))
        }

        fn has_more(&self) -> bool {
            let mut fds = [PollFd::new(self.watch.folders.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::ZERO) == Ok(1)
        }

        /// A file that is written is seen.
        #[track_caller]
        fn sees(&mut self, file: &str) {
            write(&self.at(file));
            assert_eq!(self.changed(), Some((file.into(), 0)));
        }
    }

    #[test]
    fn a_folder_that_somebody_still_holds_is_another_once_it_was_made_anew() {
        let mut still = Still::new(&["src/**"], &["src/a/x.rs"]);
        // As a shell does that stands in it: the system tells of its end only when nobody holds it any more.
        let _held = fs::File::open(still.at("src/a")).expect("a folder");
        fs::remove_dir_all(still.at("src/a")).and_then(|()| fs::create_dir(still.at("src/a"))).expect("made anew");
        assert_eq!(still.changed(), Some(("src/a/x.rs".into(), 0)));
        still.sees("src/a/y.rs");
    }

    #[test]
    fn a_folder_that_changes_places_with_another_is_seen_and_watched() {
        let mut still = Still::new(&["src/**"], &["src/a/x.rs", "src/b/y.rs"]);
        let swap = |still: &Still, one: &str, other: &str| {
            let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
            nix::fcntl::renameat2(nix::fcntl::AT_FDCWD, &still.at(one), nix::fcntl::AT_FDCWD, &still.at(other), flags).expect("swapped");
        };
        swap(&still, "src/a", "src/b");
        assert!(still.changed().is_some());
        still.sees("src/a/y.rs");
        still.sees("src/b/x.rs");
        write(&still.at("next/b/z.rs"));
        swap(&still, "src", "next");
        assert!(still.changed().is_some());
        still.sees("src/b/z.rs");
        write(&still.at("next/a/y.rs"));
        assert_eq!(still.changed(), None, "what has another name now is no longer meant");
    }

    #[test]
    fn a_folder_above_the_watched_one_that_is_swapped_swaps_it_too() {
        let mut still = Still::new(&["app/web/src/**"], &["app/web/src/a.rs", "new/web/src/b.rs"]);
        fs::rename(still.at("app"), still.at("old")).and_then(|()| fs::rename(still.at("new"), still.at("app"))).expect("renamed");
        assert_eq!(still.changed(), Some(("app/web/src/b.rs".into(), 0)));
        still.sees("app/web/src/b.rs");
    }

    #[test]
    fn a_link_that_leads_elsewhere_now_is_another_folder() {
        let mut still = Still::new(&["link/*.js"], &["one/a.js", "two/b.js"]);
        std::os::unix::fs::symlink("one", still.at("link")).expect("a link");
        assert_eq!(still.changed(), Some(("link/a.js".into(), 0)));
        std::os::unix::fs::symlink("two", still.at("link.new")).expect("a link");
        fs::rename(still.at("link.new"), still.at("link")).expect("renamed");
        assert_eq!(still.changed(), Some(("link/b.js".into(), 0)));
        write(&still.at("two/b.js"));
        assert_eq!(still.changed(), Some(("link/b.js".into(), 0)));
    }

    #[test]
    fn a_file_that_comes_with_its_folder_has_changed() {
        let mut still = Still::new(&["conf/deep/site.toml"], &[]);
        write(&still.at("conf/deep/site.toml"));
        assert_eq!(still.changed(), Some(("conf/deep/site.toml".into(), 0)));
        still.sees("conf/deep/site.toml");
    }

    #[test]
    fn folders_that_are_swapped_while_they_are_looked_for_are_found() {
        let mut still = Still::new(&["a/b/**"], &["a/b/x", "spare/b/x"]);
        let (a, spare, aside) = (still.at("a"), still.at("spare"), still.at("aside"));
        for round in 0..300 {
            std::thread::scope(|scope| {
                let swapper = scope.spawn(|| {
                    fs::rename(&a, &aside)
                        .and_then(|()| fs::rename(&spare, &a))
                        .and_then(|()| fs::rename(&aside, &spare))
                        .expect("renamed");
                });
                while !swapper.is_finished() {
                    still.watch.take_events();
                }
            });
            still.changed();
            write(&a.join("b/x"));
            assert_eq!(still.changed(), Some(("a/b/x".into(), 0)), "round {round}");
        }
    }

    /// More than the system keeps of what nobody has read yet.
    fn flood(still: &Still, folder: &str) {
        let kept: usize = limit("max_queued_events").trim_matches([' ', '(', ')']).parse().expect("a number");
        for n in 0..=kept {
            // One file again and again would be one event.
            write(&still.at(folder).join(if n % 2 == 0 { "even" } else { "odd" }));
        }
    }

    #[test]
    fn more_than_the_system_keeps_leaves_nothing_that_is_dead() {
        let mut still = Still::new(&["src/**", "!src/noise/*"], &["src/a/x.rs", "src/noise/x"]);
        flood(&still, "src/noise");
        fs::remove_dir_all(still.at("src/a")).and_then(|()| fs::create_dir(still.at("src/a"))).expect("made anew");
        assert!(still.changed().is_some());
        still.sees("src/a/y.rs");
    }

    #[test]
    fn a_flood_does_not_keep_the_watcher_from_ending() {
        let mut still = Still::new(&["src/*"], &["src/x"]);
        flood(&still, "src");
        still.watch.take_events();
        assert!(still.has_more(), "a part is taken at a time, and the thread looks up in between");
    }
}
