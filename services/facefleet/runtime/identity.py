"""Who we are to a broker, and whom we trust: three files, read anew whenever they are needed."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

REMEDY = "run site.yml for this host"

_MARK = {"certificate": b"-----BEGIN CERTIFICATE-----", "key": b"PRIVATE KEY-----"}


class IdentityError(Exception):
    """A file is missing or of no use; the text names it and the remedy."""

    def __init__(self, reason: str, remedy: str = REMEDY) -> None:
        super().__init__(f"{reason}: {remedy}")
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Identity:
    """Where the fleet's CA, our certificate and its key are (PEM)."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def within(cls, folder: Path) -> Self:
        """Return the identity in a folder of our layout."""
        return cls(folder / "ca.crt", folder / "host.crt", folder / "host.key")

    @property
    def mounted(self) -> bool:
        """Return whether there is anything to check: a container may be started without an identity."""
        return any(file.parent.is_dir() for file in (self.ca, self.certificate, self.key))

    def context(self) -> ssl.SSLContext:
        """Read the files, and return how to talk to a broker, whose certificate must name whom we dialled.

        Raises:
            IdentityError: one is missing, cannot be read, or does not fit the others.
        """
        return self._filled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # checks certificate and name

    def serving(self) -> ssl.SSLContext:
        """Read the files, and return how others talk to us; who shows a certificate must show a sound one.

        Raises:
            IdentityError: one is missing, cannot be read, or does not fit the others.
        """
        context = self._filled(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.num_tickets = 0  # each connection shows its certificate
        return context

    def _filled(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Trust the fleet's CA only. TLS 1.3: both ends are ours, and it shows nobody on the way our name."""
        for file, kind in ((self.ca, "certificate"), (self.certificate, "certificate"), (self.key, "key")):
            _look_at(file, kind)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(self.ca)
        except (ssl.SSLError, OSError) as error:
            raise IdentityError(f"{self.ca} holds no sound certificate") from error
        try:
            # Without a password OpenSSL would ask the terminal for that of an encrypted key, and wait.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError as error:
            if "MISMATCH" in str(error).upper():
                raise IdentityError(
                    f"the key {self.key} is not of the certificate {self.certificate}"
                ) from error
            raise IdentityError(
                f"{self.certificate} or {self.key} is damaged or encrypted ({error.reason})"
            ) from error
        except OSError as error:  # it went between the look and the use
            raise IdentityError(f"{self.certificate}, {self.key}: {error.strerror}") from error
        return context


OURS = Identity.within(Path("/run/identity"))
"""Where a container finds its own, unless told otherwise."""


def _look_at(file: Path, kind: str) -> None:
    """Name the file that is to blame: OpenSSL does not."""
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise IdentityError(f"{file} is missing") from error
    except OSError as error:
        raise IdentityError(
            f"{file} cannot be read: {error.strerror}", "let the service's user read it"
        ) from error
    if _MARK[kind] not in content:
        raise IdentityError(f"{file} holds no {kind} (PEM)")
