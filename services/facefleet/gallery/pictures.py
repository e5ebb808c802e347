"""Small pictures of faces, kept in memory: nothing of a face stays on this host."""

import io
import threading
from collections import OrderedDict

from PIL import Image

from facefleet.gallery.bucket import Bucket
from facefleet.gallery.face import Face

SIDE_PX = 240
QUALITY = 82
AT_ONCE = 8


class UnshowableError(Exception):
    """The object is no picture."""


class Thumbnails:
    """The last that were asked for. Thread-safe."""

    def __init__(self, bucket: Bucket, most_bytes: int) -> None:
        self._bucket = bucket
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def of(self, face: Face) -> bytes:
        """Return a JPEG of at most `SIDE_PX` a side.

        Raises:
            AbsentError: the face is not there any more.
            UnreadableError: the bucket cannot be read.
            UnshowableError: the object is no picture.
        """
        with self._lock:
            if face.key in self._kept:
                self._kept.move_to_end(face.key)
                return self._kept[face.key]
        with self._turn:
            small = shrunk(self._bucket.image(face)[0])
        with self._lock:
            if face.key not in self._kept:
                self._kept[face.key] = small
                self._bytes += len(small)
            while self._bytes > self._most_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest)
        return small

    def forget(self, face: Face) -> None:
        """Drop one."""
        with self._lock:
            self._bytes -= len(self._kept.pop(face.key, b""))


def shrunk(data: bytes) -> bytes:
    """Return a picture as a small JPEG.

    Raises:
        UnshowableError: it is none.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as image:
            image.draft("RGB", (SIDE_PX, SIDE_PX))
            small = image.convert("RGB")
            small.thumbnail((SIDE_PX, SIDE_PX))
    except Exception as error:  # Pillow has many ways to say it
        raise UnshowableError(str(error)) from error
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
