"""Whether the operator paused the camera: a file of its name says so, for as long as it is there."""

import threading
from pathlib import Path

LOOK_EVERY_S = 1.0


class Pause:
    """Looks for the file on a thread of its own, and interrupts whoever reads the camera."""

    def __init__(self, marker: Path) -> None:
        """Look at once: a paused camera must not be opened, not even for a moment."""
        self._marker = marker
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._interruption = threading.Event()
        self.on = self._there(before=False)

    def start(self, stop: threading.Event) -> None:
        """Go on looking until told to stop."""
        self._stop = stop
        threading.Thread(target=self._follow, name="pause", daemon=True).start()

    def interruption(self) -> threading.Event:
        """Return an event that is set once the camera must be left: paused, or told to stop.

        It is never taken back, so that a pause that is over soon is not overlooked. Ask for a new one before
        the camera is opened again.
        """
        with self._lock:
            self._interruption = threading.Event()
            if self.on or self._stop.is_set():
                self._interruption.set()
            return self._interruption

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self._look()
        with self._lock:
            self._interruption.set()

    def _look(self) -> None:
        with self._lock:
            self.on = self._there(before=self.on)
            if self.on:
                self._interruption.set()

    def _there(self, *, before: bool) -> bool:
        """Return whether it is there; a folder that cannot be read leaves it at what it was."""
        try:
            self._marker.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return before
        return True
