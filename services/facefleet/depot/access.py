"""Who is let in: as at the cloud broker, by the same two files, read anew when they change."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from cryptography import x509

CRL, ACL = "crl.pem", "acl"
_LIST = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_USER = re.compile(r"^user[ \t]+(\S+)[ \t]*$", re.MULTILINE)

T = TypeVar("T")


class UnknownError(Exception):
    """It cannot be told who is let in; the text says why. Then nobody is."""


class Access:
    """Certificates that count no more, and names that count. For one thread."""

    def __init__(self, folder: Path) -> None:
        self._revoked = _Kept(folder / CRL, _serials)
        self._names = _Kept(folder / ACL, _users)

    def objection(self, name: str, serial: int) -> str | None:
        """Return why a certificate is not let in, or None if it is.

        Raises:
            UnknownError: one of the files cannot be read.
        """
        if serial in self._revoked.content():
            return f"this certificate of {name} was revoked"
        if name not in self.names():
            return f"{name} is no device of this site: put it into the inventory, and run site.yml"
        return None

    def names(self) -> frozenset[str]:
        """Return the devices that count; see `objection`."""
        return self._names.content()


class _Kept(Generic[T]):
    """What a file says, read when it is another than before."""

    def __init__(self, file: Path, read: Callable[[bytes], frozenset[T]]) -> None:
        self._file = file
        self._read = read
        self._seen: tuple[int, int, int] | None = None
        self._content: frozenset[T] = frozenset()

    def content(self) -> frozenset[T]:
        try:
            about = self._file.stat()
            seen = about.st_ino, about.st_mtime_ns, about.st_size
            if seen != self._seen:
                self._content = self._read(self._file.read_bytes())
                self._seen = seen
        except (OSError, ValueError) as error:
            self._seen = None
            reason = error.strerror if isinstance(error, OSError) else error
            raise UnknownError(f"{self._file}: {reason}: run site.yml for the cloud host") from error
        return self._content


def _serials(pem: bytes) -> frozenset[int]:
    """Return the serial numbers of all lists: while the authority is replaced there are two.

    When a list should have been followed by another does not matter: ours lies here, nobody withholds one.
    """
    lists = [x509.load_pem_x509_crl(each) for each in _LIST.findall(pem)]
    if not lists:
        raise ValueError("holds no list of revoked certificates (PEM)")
    return frozenset(entry.serial_number for each in lists for entry in each)


def _users(acl: bytes) -> frozenset[str]:
    return frozenset(_USER.findall(acl.decode()))
