//! The modes a dashboard needs, and their undoing on every way out: at the end, on an error, in a panic of any thread.

use std::{
    io::{self, IsTerminal, Write},
    panic,
    sync::{
        Mutex, MutexGuard, Once, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{job, output::write_patiently, raw_mode};

/// Whether the terminal is ours at the moment.
static OURS: AtomicBool = AtomicBool::new(false);
/// Whether nothing but plain text and colours may be sent (`TERM=dumb`).
static PLAIN: AtomicBool = AtomicBool::new(false);
/// Whether it was given back for the last time: this program is on its way out, and other threads may not know.
static FOR_GOOD: AtomicBool = AtomicBool::new(false);
/// Entering, leaving and frames never interleave.
static TURN: Mutex<()> = Mutex::new(());
/// Longer than any of that takes; only who panics in the midst of it waits so long, for itself.
const TURN_TAKES: Duration = Duration::from_millis(100);

/// A screen of its own, no cursor, pastes in one piece, told when the window is looked
/// at again; its title kept aside.
const ENTER: &str = "\x1b[?1049h\x1b[22;2t\x1b[?25l\x1b[?2004h\x1b[?1004h\x1b[2J";
/// The same undone, and whatever else may be on: mouse reports, colours, a frame that was cut off.
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[23;2t\x1b[?25h\x1b[?1049l";
/// Keys that other programs cannot tell apart come apart (the kitty protocol, where the terminal speaks it), and no more.
const PUSH_KEYBOARD: &str = "\x1b[>1u";
const POP_KEYBOARD: &str = "\x1b[<u";
/// Whether the terminal was asked for that. Its alternate screen remembers it apart, so it is undone first.
static KEYBOARD: AtomicBool = AtomicBool::new(false);

/// A string sequence that a cut-off frame may have left open ends here.
const CLOSE_STRING: &str = "\x18\x1b\\";

/// How long a terminal that takes no bytes is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is told that the terminal is about to be taken, with what undoes that, and (none) that it was given back.
pub type Witness = Box<dyn Fn(Option<&str>) + Send + Sync>;
static WITNESS: Mutex<Option<Witness>> = Mutex::new(None);

/// From now on `witness` is told when the terminal is taken and given back, also when it is suspended and in a panic.
pub fn watch_terminal(witness: Witness) {
    *WITNESS.lock().unwrap_or_else(PoisonError::into_inner) = Some(witness);
}

fn tell_witness(leave: Option<&str>) {
    // Whoever panics while it is being told has told.
    if let Ok(witness) = WITNESS.try_lock()
        && let Some(witness) = witness.as_ref()
    {
        witness(leave);
    }
}

/// Whether stdin and stdout are a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The terminal's size, at least one cell: zero is what a window says that is not there yet.
pub(crate) fn size() -> (u16, u16) {
    let (width, height) = crossterm::terminal::size().unwrap_or((80, 24));
    // Nobody reads that far, and a buffer of 65535 squared would be the end of us.
    (width.clamp(1, 1000), height.clamp(1, 500))
}

/// The terminal while it is ours; dropping this gives it back.
#[derive(Debug)]
pub(crate) struct Guard;

impl Guard {
    /// Takes the terminal.
    pub(crate) fn enter(plain: bool) -> io::Result<Self> {
        let _turn = turn().ok_or(io::ErrorKind::NotConnected)?;
        PLAIN.store(plain, Ordering::Relaxed);
        tell_witness(Some(&leaving(KEYBOARD.load(Ordering::SeqCst))));
        raw_mode::enter()?;
        OURS.store(true, Ordering::SeqCst);
        let guard = Self;
        let mut out = io::stdout().lock();
        out.write_all(ENTER.as_bytes())?;
        out.flush()?;
        Ok(guard)
    }
}

/// While this is held nobody else writes to the terminal; none if nobody may any more.
fn turn() -> Option<MutexGuard<'static, ()>> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (!FOR_GOOD.load(Ordering::SeqCst)).then_some(turn)
}

/// The same for a frame: none while the terminal is not ours. Whoever gave it back in a panic may be another thread.
pub(super) fn turn_to_draw() -> Option<MutexGuard<'static, ()>> {
    turn().filter(|_| OURS.load(Ordering::SeqCst))
}

/// What undoes everything that was asked of the terminal.
fn leaving(keyboard: bool) -> String {
    let pop = if keyboard { POP_KEYBOARD } else { "" };
    format!("{CLOSE_STRING}{pop}{LEAVE}")
}

/// From now on the kitty keyboard protocol is undone on every way out; returns what asks the terminal for it.
pub(crate) fn enhance_keyboard() -> &'static str {
    KEYBOARD.store(true, Ordering::SeqCst);
    tell_witness(Some(&leaving(true)));
    PUSH_KEYBOARD
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was, if it is ours. Safe to call from anywhere, any number of times.
pub fn restore() {
    give_back();
}

/// The same for the last time: whoever is about to take it, or to draw, comes too late.
pub fn restore_for_good() {
    FOR_GOOD.store(true, Ordering::SeqCst);
    give_back();
}

fn give_back() {
    let end = Instant::now() + TURN_TAKES;
    let mut turn = TURN.try_lock();
    while matches!(turn, Err(TryLockError::WouldBlock)) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
        turn = TURN.try_lock();
    }
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    // In the background the modes are the shell's already; the screen is still to be left.
    let _going_on = job::never_stopped();
    raw_mode::leave(job::is_in_front());
    let text = leaving(KEYBOARD.swap(false, Ordering::SeqCst));
    write_patiently(text.as_bytes(), PATIENCE);
    tell_witness(None);
}

/// Writes what is to stay on the normal screen, as far as the terminal takes it: one that nobody reads must not keep this
/// program from its end, and neither must a shell that has it again.
pub fn last_words(text: &str) {
    let _going_on = job::never_stopped();
    write_patiently(text.as_bytes(), PATIENCE);
}

/// Makes every panic give the terminal back before anything is printed. Later calls do nothing.
pub fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
    });
}
