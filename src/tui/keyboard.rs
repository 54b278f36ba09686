//! The kitty keyboard protocol: with it Esc is Esc at once, and Ctrl and Alt reach every key. The terminal is asked behind the
//! first frame, so that nothing waits for it; one that does not answer, or too late, stays as it is.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use super::{
    event_loop::EventLoop,
    term::{
        decode::{For, Input},
        enhance_keyboard, wait,
    },
};

/// Which flags are set, and then what kind of terminal it is: that every terminal answers.
const QUESTION: &str = "\x1b[?u\x1b[c";
/// An answer later than this is somebody else's.
const IN_TIME: Duration = Duration::from_secs(1);
/// An answer that is still on its way must not reach the shell: so long it is waited for when the terminal is given back.
const STRAY: Duration = Duration::from_millis(100);

impl EventLoop {
    /// Asks the terminal whether it speaks the protocol.
    pub(super) fn ask_keyboard(&mut self) {
        if self.guard.is_some() && !self.front.options.plain {
            self.asked = Some(Instant::now());
            self.tell_terminal(QUESTION);
        }
    }

    /// Takes an answer.
    pub(super) fn answered(&mut self, input: &Input) {
        let in_time = self.asked.is_some_and(|asked| asked.elapsed() < IN_TIME);
        match input {
            Input::Keyboard if in_time => {
                self.enhanced = true;
                self.enhance();
            }
            Input::Attributes => self.asked = None,
            _ => {}
        }
    }

    /// Asks for the protocol, at first and whenever the terminal is ours again.
    pub(super) fn enhance(&mut self) {
        if self.enhanced {
            self.tell_terminal(enhance_keyboard());
            self.spoken_to = For::Dashboard;
            self.speak_to_keyboard();
        }
    }

    /// A process that is typed to has not asked for the protocol: its keys come as they always have.
    pub(super) fn speak_to_keyboard(&mut self) {
        let whom = self.stage.app.keys_are_for();
        if self.enhanced && std::mem::replace(&mut self.spoken_to, whom) != whom {
            self.tell_terminal(match whom {
                For::Dashboard => "\x1b[=1u",
                For::Process => "\x1b[=0u",
            });
        }
    }

    /// Lets an answer arrive that is still on its way.
    pub(super) fn hear_out(&mut self) {
        if self.asked.take().is_none_or(|asked| asked.elapsed() >= IN_TIME) {
            return;
        }
        let end = Instant::now() + STRAY;
        let stdin = io::stdin();
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            let Ok(ready) = wait(stdin.as_fd(), None, &self.waker, Some(left)) else { return };
            if ready.woken {
                self.waker.clear();
            }
            let mut bytes = [0; 256];
            let read = if ready.input { nix::unistd::read(&stdin, &mut bytes).unwrap_or(0) } else { 0 };
            self.decoder.feed(&bytes[..read]);
            let answered = std::iter::from_fn(|| self.decoder.next(For::Dashboard)).any(|input| input == Input::Attributes);
            if answered || ready.gone || (ready.input && read == 0) {
                return;
            }
        }
    }
}
