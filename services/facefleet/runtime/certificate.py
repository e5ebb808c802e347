"""What the certificates of a file are, and when they end: a host's own, or the authorities that it trusts."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from facefleet.runtime.moment import iso

PRINT_DIGITS = 12
"""As the folders of the role `identity` are named."""


class Certificate:
    """A file that may be renewed at any time; read when it is another than before."""

    def __init__(self, file: Path | None) -> None:
        """`file` is None where the broker asks for none."""
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._read: list[x509.Certificate] = []

    def ends(self) -> str | None:
        """Return the last moment, of several the latest; None without one, and if one cannot be read."""
        found = self._look()
        return iso(max(each.not_valid_after_utc for each in found)) if found else None

    def prints(self) -> list[str]:
        """Return the first digits of each one's SHA-256, by which the control host knows them."""
        return [each.fingerprint(hashes.SHA256()).hex()[:PRINT_DIGITS] for each in self._look()]

    def _look(self) -> list[x509.Certificate]:
        if self._file is None:
            return []
        try:
            about = self._file.stat()
            seen = about.st_ino, about.st_mtime_ns, about.st_size
            if seen != self._seen:
                self._read = _read(self._file.read_bytes())
                self._seen = seen
        except OSError:
            self._seen, self._read = None, []
        return self._read


def _read(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return []
