"""The panel where there is no button: keys of the terminal."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import termios
import threading
import tty
from collections.abc import Callable, Mapping
from typing import IO, Any, Self

from edgebot.hw.gestures import Gesture

# A terminal does not tell when a key comes up again: space is always a tap.
KEYS: Mapping[str, tuple[Gesture, ...]] = {
    " ": (Gesture.PRESS, Gesture.TAP),
    "m": (Gesture.MUTE_PRESS,),
    "+": (Gesture.VOLUME_UP,),
    "-": (Gesture.VOLUME_DOWN,),
    "q": (Gesture.QUIT,),
}
ESCAPE = b"\x1b"
# In the background, where reading would stop the process, it asks so often whether it still is.
BACKGROUND_S = 0.5


class Keyboard:
    """Reads single keys in a thread of its own, and leaves the terminal as it found it."""

    def __init__(self, terminal: IO[str], when_gesture: Callable[[Gesture], None]) -> None:
        """Take the terminal over; `open` looks first whether there is one.

        Args:
            terminal: Standard input.
            when_gesture: Called with what each key means; it must not raise.
        """
        self._file = terminal.fileno()
        self._when_gesture = when_gesture
        self._found: list[Any] = termios.tcgetattr(self._file)
        self._wake_read, self._wake_write = os.pipe()
        self._ours: dict[signal.Signals, Any] = {
            signal.SIGTSTP: self._stop,
            signal.SIGCONT: self._go_on,
            signal.SIGTERM: self._end,
        }
        self._theirs: dict[signal.Signals, Any] = {}
        self._is_open = True
        atexit.register(self.restore)
        self._follow_signals()
        self.take()
        self._thread = threading.Thread(target=self._read, name="keyboard", daemon=True)
        # It inherits what is blocked: a signal that it took would not wake the main thread.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *self._ours})
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @classmethod
    def open(cls, terminal: IO[str], when_gesture: Callable[[Gesture], None]) -> Self | None:
        """Return the keyboard, or None where nobody sits at one."""
        try:
            is_there = terminal.isatty()
        except ValueError:
            is_there = False  # Standard input is closed.
        return cls(terminal, when_gesture) if is_there else None

    @property
    def is_in_foreground(self) -> bool:
        """Whether keys are meant for this process, and not for the shell that started it."""
        try:
            return os.tcgetpgrp(self._file) == os.getpgrp()
        except OSError:
            return True  # A terminal without job control.

    def take(self) -> None:
        """Have keys one by one, unseen; Ctrl-C and Ctrl-Z mean what they always do."""
        # From the background it would stop the process.
        if self._is_open and self.is_in_foreground:
            tty.setcbreak(self._file, termios.TCSADRAIN)

    def restore(self) -> None:
        """Leave the terminal as it was found."""
        if self.is_in_foreground:
            # The terminal's window may be closed by now.
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self._file, termios.TCSADRAIN, self._found)

    def close(self) -> None:
        """Leave the terminal as it was found, and read no more."""
        if not self._is_open:
            return
        self._is_open = False
        os.write(self._wake_write, b"x")
        if threading.current_thread() is not self._thread:
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)
        self.restore()
        atexit.unregister(self.restore)
        for number, handler in self._theirs.items():
            if signal.getsignal(number) == self._ours[number]:
                signal.signal(number, handler)

    def _follow_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Only the main thread may.
        for number, handler in self._ours.items():
            # Whoever has an order of their own for SIGTERM closes the keyboard as well.
            if number is not signal.SIGTERM or signal.getsignal(number) is signal.SIG_DFL:
                self._theirs[number] = signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        """Stop as Ctrl-Z wants, the shell's terminal restored; go on where it stopped."""
        self._obey(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._stop)

    def _go_on(self, number: int, frame: object) -> None:
        self.take()

    def _end(self, number: int, frame: object) -> None:
        self._obey(signal.SIGTERM)

    def _obey(self, number: signal.Signals) -> None:
        self.restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _read(self) -> None:
        while self._is_open:
            ready, _, _ = select.select([self._file, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            if not self.is_in_foreground:
                select.select([self._wake_read], [], [], BACKGROUND_S)
                continue
            try:
                keys = os.read(self._file, 64)
            except OSError:
                return  # The terminal is gone.
            if not keys:
                return
            if not keys.startswith(ESCAPE):
                self._press(keys.decode(errors="replace").lower())

    def _press(self, keys: str) -> None:
        for key in keys:
            for gesture in KEYS.get(key, ()):
                self._when_gesture(gesture)
