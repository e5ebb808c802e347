"""Who is signed in: random tokens, of which digests alone are kept: a copy of the file opens nothing."""

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
  digest BLOB PRIMARY KEY, person TEXT, form_token TEXT, stamp TEXT, ends REAL)
"""


class Session(NamedTuple):
    """A signed-in person, and what forms must carry to be theirs."""

    person: str
    form_token: str
    stamp: str
    """Of the password that was given; with another password the session is over."""


class Sessions:
    """Kept over restarts. Thread-safe."""

    def __init__(self, file: Path, hours: float, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._lasts_s = hours * 3600
        self._clock = clock
        self._connection = sqlite3.connect(file, check_same_thread=False)
        with self._lock, self._connection:
            self._connection.execute(_SCHEMA)

    def begin(self, person: str, stamp: str) -> str:
        """Return a new token for somebody who gave the right password."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock, self._connection:
            self._connection.execute("DELETE FROM session WHERE ends < ?", (now,))
            self._connection.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?)",
                (_digest(token), person, secrets.token_urlsafe(16), stamp, now + self._lasts_s),
            )
        return token

    def of(self, token: str) -> Session | None:
        """Return whose token it is; None when it is nobody's, or too old."""
        with self._lock:
            row = self._connection.execute(
                "SELECT person, form_token, stamp FROM session WHERE digest = ? AND ends >= ?",
                (_digest(token), self._clock()),
            ).fetchone()
        return Session(*row) if row else None

    def end(self, token: str) -> None:
        """Sign out."""
        with self._lock, self._connection:
            self._connection.execute("DELETE FROM session WHERE digest = ?", (_digest(token),))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
