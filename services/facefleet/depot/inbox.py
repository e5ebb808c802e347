"""Takes what the control host brings: a folder with the layout of the bucket below `releases/`.

All is checked before anything is stored, and then stored in such an order that nobody is told of what is not
there yet: blobs, signatures, orders.
"""

import base64
import binascii
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from facefleet.depot import layout
from facefleet.depot.asked import Asked
from facefleet.depot.catalog import Map
from facefleet.depot.desk import DeskError, Enrolment, read_enrolment
from facefleet.depot.layout import OrderPlace
from facefleet.depot.news import tell_news
from facefleet.depot.order import OrderError, read_order
from facefleet.depot.signing import Signer, SigningError, certificates_in, key_in_certificate, key_in_request
from facefleet.depot.store import DOCUMENT_MOST_BYTES, Store
from facefleet.storage.trouble import AbsentError

BLOB_MOST_BYTES = 5 * 1024**3
"""What S3 takes at once."""
PEM = "application/x-pem-file"


class InboxError(Exception):
    """Something in the inbox is not as it should be, so nothing of it was taken; the text names it."""


class Inbox:
    """A folder that was looked through. See `Store` for what it raises besides."""

    def __init__(self, folder: Path, store: Store, signer: Signer) -> None:
        """Check all that is in it.

        Raises:
            InboxError: something is not as it should be.
        """
        self._folder = folder
        self._store = store
        self._signer = signer
        self._blobs: dict[str, Path] = {}
        self._orders: dict[OrderPlace, dict[str, bytes]] = defaultdict(dict)
        self._rings: dict[OrderPlace, int] = {}
        self._enrolments: dict[str, Enrolment] = {}
        self._certificates: dict[str, bytes] = {}
        self._trust: bytes | None = None
        if not folder.is_dir():
            raise InboxError(f"{folder} is no folder: mount the one that holds what to take")
        for file in self._files():
            try:
                self._look_at(file, layout.ROOT + file.relative_to(folder).as_posix())
            except (OSError, DeskError, OrderError, SigningError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                raise InboxError(f"{file.relative_to(folder)}: {reason}") from error
        self._look_at_orders()

    def take(self, each: Map = map) -> dict[str, int]:
        """Store all of it, and return how much there was of each kind; what is there already stays."""
        list(each(self._store_blob, self._blobs))
        list(each(self._store_signature, self._orders))
        # Ring by ring: a ring whose orders are there before those that it waits for would be open.
        for ring in sorted(set(self._rings.values())):
            list(each(self._store_text, [place for place in self._orders if self._rings[place] == ring]))
        for device, enrolment in self._enrolments.items():
            self._open(device, enrolment)
        for device, pem in self._certificates.items():
            self._store.write(layout.certificate(device), pem, kind=PEM)
            self._answer(device, pem)
        if self._trust is not None:
            self._store.write(layout.TRUST, self._trust, kind=PEM)
        if self._orders:
            tell_news(self._store)
        return {
            "blobs": len(self._blobs),
            "orders": len(self._orders),
            "enrolment": len(self._enrolments),
            "certificates": len(self._certificates),
            "trust": int(self._trust is not None),
        }

    def _files(self) -> Iterator[Path]:
        for path in sorted(self._folder.rglob("*")):
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise InboxError(
                    f"{path.relative_to(self._folder)}: it is no plain file: put the file itself there"
                )
            if path.is_file():
                yield path

    def _look_at(self, file: Path, key: str) -> None:
        if key.startswith(layout.BLOBS):
            self._look_at_blob(file, key.removeprefix(layout.BLOBS))
        elif found := layout.order_at(key):
            place, kind = found
            self._orders[place][kind] = _document(file)
        elif device := layout.device_at(key, layout.ENROLMENT):
            self._enrolments[device] = read_enrolment(_document(file))
        elif device := layout.device_at(key, layout.CERTIFICATES):
            self._certificates[device] = _document(file)
            key_in_certificate(self._certificates[device], device)
        elif key == layout.TRUST:
            self._trust = _document(file)
            certificates_in(self._trust)
        else:
            raise OrderError(
                "the depot knows no such thing: blobs/, orders/, enrolment/, certificates/, trust.pem"
            )

    def _look_at_blob(self, file: Path, name: str) -> None:
        if not layout.is_digest(name):
            raise OrderError("a blob's name is its SHA-256, 64 hexadecimal digits in small letters")
        if file.stat().st_size > BLOB_MOST_BYTES:
            raise OrderError(f"it is larger than {BLOB_MOST_BYTES} bytes, which S3 does not take at once")
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != name:
            raise OrderError(f"its content is another, of SHA-256 {digest}: copy it again")
        self._blobs[name] = file

    def _look_at_orders(self) -> None:
        """Look at the orders, once all blobs are known."""
        if not self._orders:
            return
        sizes = {digest: file.stat().st_size for digest, file in self._blobs.items()}
        sizes |= {
            each.key.removeprefix(layout.BLOBS): each.size for each in self._store.listing(layout.BLOBS)
        }
        serials: dict[str, int] = defaultdict(int)
        for each in self._store.listing(layout.ORDERS):
            if found := layout.order_at(each.key):
                serials[found[0].device] = max(serials[found[0].device], found[0].serial)
        for place, order in self._orders.items():
            try:
                self._look_at_order(place, order, sizes, serials[place.device])
            except (OrderError, SigningError) as error:
                raise InboxError(f"{place.text.removeprefix(layout.ROOT)}: {error}") from error

    def _look_at_order(
        self, place: OrderPlace, order: dict[str, bytes], sizes: dict[str, int], newest: int
    ) -> None:
        if missing := {"json", "sig"} - order.keys():
            raise OrderError(f"its .{missing.pop()} is missing: text and signature come together")
        read = read_order(order["json"])
        if (read.device, read.serial) != place:
            raise OrderError(f"it is the order {read.serial} of {read.device}: its name has to say so")
        self._signer.check(order["json"], _signature(order["sig"]))
        self._rings[place] = read.ring
        for digest, size in read.blobs.items():
            if sizes.get(digest) != size:
                there = (
                    f"has {sizes[digest]} bytes" if digest in sizes else "is neither here nor in the depot"
                )
                raise OrderError(
                    f"its blob {digest} of {size} bytes {there}: ask what is lacking, and bring it"
                )
        if place.serial <= newest and self._known(place) != order["json"]:
            raise OrderError(f"{place.device} was ordered number {newest} before: give it a higher serial")

    def _store_blob(self, digest: str) -> None:
        self._store.upload(layout.blob(digest), self._blobs[digest], bytes.fromhex(digest))

    def _store_signature(self, place: OrderPlace) -> None:
        self._store.write(place.signature, self._orders[place]["sig"], kind="text/plain")

    def _store_text(self, place: OrderPlace) -> None:
        self._store.write(place.text, self._orders[place]["json"])

    def _known(self, place: OrderPlace) -> bytes:
        try:
            return self._store.read(place.text).content
        except AbsentError:
            return b""

    def _open(self, device: str, enrolment: Enrolment) -> None:
        """Open an enrolment; with a secret that is known already whoever came stays."""
        try:
            known = read_enrolment(self._store.read(layout.enrolment(device)).content)
        except (AbsentError, DeskError):
            known = None
        if known and known.secret_sha256 == enrolment.secret_sha256:
            enrolment = known.model_copy(update={"expires": enrolment.expires})
        self._store.write(layout.enrolment(device), enrolment.model_dump_json().encode())

    def _answer(self, device: str, pem: bytes) -> None:
        """Take away the request that a certificate answers."""
        try:
            asked = Asked.model_validate_json(self._store.read(layout.request(device)).content)
        except AbsentError:
            return
        if key_in_request(asked.request, device) == key_in_certificate(pem, device):
            self._store.erase(layout.request(device))


def _document(file: Path) -> bytes:
    with file.open("rb") as content:
        text = content.read(DOCUMENT_MOST_BYTES + 1)
    if len(text) > DOCUMENT_MOST_BYTES:
        raise OrderError(f"it is larger than {DOCUMENT_MOST_BYTES} bytes")
    return text


def _signature(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise SigningError("its signature is no base64") from error
