"""Who may sign in: names, and hashes of their passwords (scrypt). The file is written by a playbook."""

import base64
import hashlib
import hmac
import json
import os
import re
import threading
from pathlib import Path

LEAST_CHARS = 10
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_COST = {"n": 2**15, "r": 8, "p": 1}
_MEMORY = 64 * 1024 * 1024
_KIND = "scrypt"
_NOBODY = f"{_KIND}${_COST['n']}${_COST['r']}${_COST['p']}$AAAAAAAAAAAAAAAAAAAAAA==$"


class PeopleError(Exception):
    """The file cannot be used; the text names it and the remedy."""


class People:
    """Those of the file, as it is at each sign-in."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._turn = threading.BoundedSemaphore(2)
        """A hash takes 32 MB."""

    def known(self) -> dict[str, str]:
        """Return the hash of each name; empty if nobody was let in yet.

        Raises:
            PeopleError: the file cannot be read.
        """
        try:
            said = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise PeopleError(f"{self._file}: {error}: run playbooks/gallery_user.yml") from error
        if not isinstance(said, dict):
            raise PeopleError(f"{self._file} is no list of people: run playbooks/gallery_user.yml")
        return {str(name): str(hashed) for name, hashed in said.items()}

    def stamp(self, name: str) -> str:
        """Return what changes with somebody's password; empty when no list that can be read has the name."""
        try:
            line = self.known().get(name)
        except PeopleError:
            return ""
        return hashlib.sha256(line.encode()).hexdigest()[:16] if line else ""

    def right(self, name: str, password: str) -> bool:
        """Return whether it is this person's password. A name that nobody has takes as long.

        Raises:
            PeopleError: the file cannot be read.
        """
        hashed = self.known().get(name)
        with self._turn:
            fits = verified(password, hashed or _NOBODY)
        return fits and hashed is not None


def hashed(password: str) -> str:
    """Return what to keep of a password, in one line.

    Raises:
        ValueError: it is too short.
    """
    if len(password) < LEAST_CHARS:
        raise ValueError(f"a password needs {LEAST_CHARS} characters or more")
    salt = os.urandom(16)
    numbers = "$".join(str(number) for number in _COST.values())
    return f"{_KIND}${numbers}${_text(salt)}${_text(_scrypt(password, salt, **_COST))}"


def verified(password: str, line: str) -> bool:
    """Return whether a password is the one that a line was made of."""
    try:
        kind, n, r, p, salt, expected = line.split("$")
        found = _scrypt(password, base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
        return kind == _KIND and hmac.compare_digest(found, base64.b64decode(expected))
    except ValueError:
        return False


def _scrypt(password: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
