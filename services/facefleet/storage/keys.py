"""The keys that requests are signed with: from AWS_SHARED_CREDENTIALS_FILE or the instance role."""

import threading
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from facefleet.storage.signature import Keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials

READ_AGAIN_AFTER_S = 1.0


class NoKeysError(Exception):
    """There are no keys now; the text says why."""


def _from_the_chain() -> "Credentials | None":
    return Session().get_credentials()  # a session of its own reads the file anew


class KeyRing:
    """Keeps the keys, refreshes those that expire, and reads them anew when they are refused. Thread-safe."""

    def __init__(self, find: "Callable[[], Credentials | None]" = _from_the_chain) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None
        self._given = Keys("", "")
        self._read_at = float("-inf")
        self._failure = ""

    def current(self) -> Keys:
        """Return the keys of now.

        Raises:
            NoKeysError: nobody provides any.
        """
        credentials = self._credentials
        if credentials is None:
            with self._lock:
                credentials = self._credentials or self._read()
        try:
            frozen = credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise NoKeysError(str(error)) from error
        keys = Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")
        self._given = keys
        return keys

    def refused(self, keys: Keys) -> None:
        """Read anew what the server did not like, unless that was done a moment ago."""
        with self._lock:
            if keys == self._given and self._may_read:
                self._credentials = None

    @property
    def _may_read(self) -> bool:
        return time.monotonic() - self._read_at >= READ_AGAIN_AFTER_S

    def _read(self) -> "Credentials":
        if self._may_read:
            self._read_at = time.monotonic()
            try:
                self._credentials = self._find()
            except BotoCoreError as error:
                self._failure = str(error)
            else:
                self._failure = "nobody provides one"
        if self._credentials is None:
            raise NoKeysError(self._failure)
        return self._credentials
