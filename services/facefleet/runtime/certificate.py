"""When the certificates of a file end: a host's own, or the authorities that it trusts."""

from pathlib import Path

from cryptography import x509

from facefleet.runtime.moment import iso


class Certificate:
    """A file that may be renewed at any time; read when it is another than before."""

    def __init__(self, file: Path | None) -> None:
        """`file` is None where the broker asks for none."""
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._ends: str | None = None

    def ends(self) -> str | None:
        """Return the last moment, of several the latest; None without one, and if one cannot be read."""
        if self._file is None:
            return None
        try:
            about = self._file.stat()
            seen = about.st_ino, about.st_mtime_ns, about.st_size
            if seen != self._seen:
                self._ends = _end_of(self._file.read_bytes())
                self._seen = seen
        except OSError:
            self._seen = self._ends = None
        return self._ends


def _end_of(pem: bytes) -> str | None:
    try:
        return iso(max(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(pem)))
    except ValueError:
        return None
