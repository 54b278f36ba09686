#!/usr/bin/env python3
"""Records assets/demo.cast: the talk of docs/demo.md in a terminal of 100x28, by the real program and a real shell.

    cargo build --release
    assets/demo-cast.py target/release/e2e-tui assets/demo.cast
    asciinema play assets/demo.cast

Needs Python 3 and nothing else; takes a minute and a half, in which nothing else should keep the machine busy. The file is asciicast v2: a line of JSON, then one for each output.
Nothing of this machine is in it: the shell starts in an empty environment and an empty folder, which is gone afterwards.
"""

import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time

WIDTH, HEIGHT = 100, 28
PAGE_DOWN = "\x1b[6~"
# What is pressed, and for how long the audience then looks.
TALK = [
    ("e2e-tui demo --layout demo\r", 2.0),
    (".", 3.0),
    (PAGE_DOWN, 5.0),    # traffic
    (PAGE_DOWN, 11.0),   # kill: two seconds later, and client-a gives up after four more
    (PAGE_DOWN, 4.0),    # 502
    (PAGE_DOWN, 16.0),   # back: three seconds later the test runs again, for ten
    (PAGE_DOWN, 12.0),   # 300 ms too slow
    (PAGE_DOWN, 12.5),   # all is well again: the last attempt takes ten seconds
    (PAGE_DOWN, 3.0),    # export
    ("q", 1.0),
    ("\r", 3.0),
    ("e2e-tui replay demo.tar.zst --layout demo\r", 3.0),
    *[("{", 0.6)] * 7,
    ("{", 3.0),          # client-a has failed
    ("{", 0.6),
    ("{", 2.0),          # the kill
    ("=", 1.5),
    ("q", 1.5),
]
# What must have been seen, in this order: else the talk went another way, and no file is written.
WANTED = ["502", "FAILED", "demo: PASSED (exit 0)", "no process or port left", "REPLAY", "PAST"]
# Outputs closer together than this become one.
TOGETHER = 0.04


class Cast:
    """What a terminal showed, and when."""

    def __init__(self, terminal):
        self.terminal, self.began, self.events = terminal, time.monotonic(), []
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def watch(self, seconds):
        """Notes output for so long, or until the terminal is closed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.terminal], [], [], left)[0]:
                return
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                return
            at, text = time.monotonic() - self.began, self.decoder.decode(data)
            if self.events and at - self.events[-1][0] < TOGETHER:
                self.events[-1][1] += text
            elif text:
                self.events.append([at, text])

    def text(self):
        return "".join(text for _, text in self.events)

    def write(self, path):
        header = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": "e2e-tui: a demo of an MCP proxy",
                  "env": {"TERM": "xterm-256color", "SHELL": "/bin/sh"}}
        with open(path, "w", encoding="utf-8") as file:
            for line in [header] + [[round(at, 3), "o", text] for at, text in self.events]:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def shell(program, folder):
    """A shell in a terminal of its own: its pid, and our end of the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        path = f"{os.path.dirname(program)}:/usr/bin:/bin"
        env = {"PATH": path, "HOME": folder, "PS1": "$ ", "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        os.execve("/bin/sh", ["sh", "-i"], env)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    return pid, terminal


def missing(text):
    """The first of what is wanted that does not come after the one before it."""
    at = 0
    for wanted in WANTED:
        at = text.find(wanted, at)
        if at < 0:
            return wanted
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, path = os.path.abspath(sys.argv[1]), sys.argv[2]
    if os.path.basename(program) != "e2e-tui" or not os.access(program, os.X_OK):
        sys.exit(f"{program} is no program called e2e-tui: build it first, `cargo build --release`")
    with tempfile.TemporaryDirectory() as folder:
        pid, terminal = shell(program, folder)
        cast = Cast(terminal)
        try:
            cast.watch(1.0)
            for keys, pause in TALK:
                os.write(terminal, keys.encode())
                cast.watch(pause)
            os.write(terminal, b"exit\r")
            cast.watch(1.0)
        finally:
            # The shell and whatever is in front of it: the dashboard takes everything down that it started.
            os.close(terminal)
            try:
                os.kill(pid, signal.SIGHUP)
            except ProcessLookupError:
                pass
            os.waitpid(pid, 0)
    if (wanted := missing(cast.text())) is not None:
        sys.exit(f"{wanted!r} was not seen where it was expected: {path} is not written. Is the machine very busy? Try again")
    cast.write(path)
    print(f"{path}: {cast.events[-1][0]:.0f} s, {os.path.getsize(path) // 1024} KiB")


if __name__ == "__main__":
    main()
