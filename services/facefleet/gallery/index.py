"""What is in the bucket, kept on disk so that a page costs no listing. It can always be made again.

Source: SQLite in WAL mode: readers do not wait for the writer.
"""

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from facefleet.gallery.face import Face, Traits
from facefleet.gallery.timeline import HOUR_MS, Span
from facefleet.storage.faces import Camera

VERSION = 1
_SCHEMA = """
CREATE TABLE camera (id INTEGER PRIMARY KEY, device TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (device, name));
CREATE TABLE face (
  id INTEGER PRIMARY KEY AUTOINCREMENT, camera INTEGER NOT NULL, name TEXT NOT NULL, time INTEGER NOT NULL,
  track INTEGER, shot INTEGER, quality REAL, last INTEGER, UNIQUE (camera, name));
CREATE INDEX face_time ON face (time);
CREATE INDEX face_camera_time ON face (camera, time);
"""
_FACE = (
    "SELECT device, camera.name, face.name, time, track, shot, quality, last "
    "FROM face JOIN camera ON camera.id = camera"
)
_ADD = """
INSERT INTO face (camera, name, time, track, shot, quality, last) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (camera, name) DO UPDATE
SET track = excluded.track, shot = excluded.shot, quality = excluded.quality, last = excluded.last
WHERE face.track IS NULL AND excluded.track IS NOT NULL
"""
_CAMERAS = """
SELECT device, name FROM camera WHERE EXISTS (SELECT 1 FROM face WHERE camera = camera.id) ORDER BY 1, 2
"""
_PER_HOUR = f"SELECT time / {HOUR_MS}, count(*) FROM face WHERE time >= ? AND time < ?"
ALL = Span(-(2**62), 2**62)


class Index:
    """The faces of a bucket, by time and by camera. Thread-safe; each thread reads on its own connection."""

    def __init__(self, file: Path) -> None:
        """Open it, or begin anew when it is of another version or damaged."""
        self._file = file
        self._writing = threading.Lock()
        self._own = threading.local()
        self._cameras: dict[Camera, int] = {}
        with self._writing:
            try:
                self._open()
            except sqlite3.DatabaseError:
                self._discard()
                self._open()

    # --- to write ---

    def add(self, faces: Iterable[Face]) -> None:
        """Note faces; what is known stays, and gets its traits."""
        with self._write() as connection:
            connection.executemany(
                _ADD,
                [
                    (
                        self._camera(connection, face.camera),
                        face.name,
                        face.time_ms,
                        *(face.traits or (None,) * 4),
                    )
                    for face in faces
                ],
            )

    def forget(self, face: Face) -> None:
        """Take a face out that the bucket has no more."""
        with self._write() as connection:
            connection.execute(
                "DELETE FROM face WHERE camera = ? AND name = ?",
                (self._camera(connection, face.camera), face.name),
            )

    def mark(self) -> int:
        """Return a mark: what is noted from now on is not swept by it."""
        row = self._read().execute("SELECT seq FROM sqlite_sequence WHERE name = 'face'").fetchone()
        return int(row[0]) if row else 0

    def sweep(self, camera: Camera, names: tuple[str, str], there: Iterable[str], mark: int) -> int:
        """Take out those named after the first and up to the second of `names` that are not there any more.

        Those noted after the mark stay: they may be younger than the listing. Returns how many went.
        """
        with self._write() as connection:
            number = self._camera(connection, camera)
            known = connection.execute(
                "SELECT name FROM face WHERE camera = ? AND name > ? AND name <= ? AND id <= ?",
                (number, *names, mark),
            )
            gone = {name for (name,) in known} - set(there)
            connection.executemany(
                "DELETE FROM face WHERE camera = ? AND name = ?", [(number, name) for name in gone]
            )
            return len(gone)

    # --- to read ---

    def cameras(self) -> list[Camera]:
        """Return all cameras that have a face, in order of their names."""
        return [Camera(*row) for row in self._read().execute(_CAMERAS)]

    def newest(
        self, cameras: Sequence[Camera] | None, span: Span, before: tuple[int, str], most: int
    ) -> list[Face]:
        """Return the newest faces of some cameras (None: all) within a span, and before a time and name."""
        end, name = before
        where = "time >= ? AND (time < ? OR (time = ? AND face.name < ?)) AND time < ?"
        values = (span.begin_ms, end, end, name, span.end_ms)
        order = "ORDER BY time DESC, face.name DESC LIMIT ?"
        if cameras is None:
            return self._faces(f"{_FACE} WHERE {where} {order}", (*values, most))
        found: list[Face] = []
        for camera in cameras:
            number = self._number(camera)
            if number is not None:
                found += self._faces(f"{_FACE} WHERE camera = ? AND {where} {order}", (number, *values, most))
        return sorted(found, key=lambda face: (face.time_ms, face.name), reverse=True)[:most]

    def per_hour(self, cameras: Sequence[Camera] | None, span: Span) -> dict[int, int]:
        """Return how many faces there are in each hour (since 1970) of a span."""
        if cameras is None:
            return dict(self._read().execute(f"{_PER_HOUR} GROUP BY 1", span).fetchall())
        counts: Counter[int] = Counter()
        for camera in cameras:
            rows = self._read().execute(
                f"{_PER_HOUR} AND camera = ? GROUP BY 1", (*span, self._number(camera))
            )
            counts.update(dict(rows.fetchall()))
        return counts

    @property
    def empty(self) -> bool:
        """Return whether there is no face at all."""
        return self._read().execute("SELECT 1 FROM face LIMIT 1").fetchone() is None

    def neighbours(self, face: Face) -> tuple[Face | None, Face | None]:
        """Return the camera's face before and the one after."""
        number = self._number(face.camera)
        before = self._faces(
            f"{_FACE} WHERE camera = ? AND face.name < ? ORDER BY face.name DESC LIMIT 1", (number, face.name)
        )
        after = self._faces(
            f"{_FACE} WHERE camera = ? AND face.name > ? ORDER BY face.name LIMIT 1", (number, face.name)
        )
        return next(iter(before), None), next(iter(after), None)

    def around(self, face: Face, within_ms: int) -> list[Face]:
        """Return the camera's faces of about the same time, the face itself among them."""
        return self._faces(
            f"{_FACE} WHERE camera = ? AND time BETWEEN ? AND ? ORDER BY time DESC LIMIT 500",
            (self._number(face.camera), face.time_ms - within_ms, face.time_ms + within_ms),
        )

    def find(self, face: Face) -> Face | None:
        """Return a face as it is noted; None if it is not."""
        found = self._faces(
            f"{_FACE} WHERE camera = ? AND face.name = ?", (self._number(face.camera), face.name)
        )
        return found[0] if found else None

    def without_traits(self, most: int) -> list[Face]:
        """Return the newest whose metadata was not read yet."""
        return self._faces(f"{_FACE} WHERE track IS NULL ORDER BY time DESC LIMIT ?", (most,))

    def close(self) -> None:
        """Close the connection of this thread; those of others end with them."""
        connection = getattr(self._own, "connection", None)
        if connection:
            connection.close()
            del self._own.connection

    # --- within ---

    def _faces(self, query: str, values: Sequence[object]) -> list[Face]:
        return [
            Face(Camera(device, camera), name, time, None if traits[0] is None else _traits(*traits))
            for device, camera, name, time, *traits in self._read().execute(query, tuple(values))
        ]

    def _camera(self, connection: sqlite3.Connection, camera: Camera) -> int:
        number = self._cameras.get(camera)
        if number is None:
            connection.execute("INSERT OR IGNORE INTO camera (device, name) VALUES (?, ?)", camera)
            (number,) = connection.execute(
                "SELECT id FROM camera WHERE device = ? AND name = ?", camera
            ).fetchone()
            self._cameras[camera] = number
        return int(number)

    def _number(self, camera: Camera) -> int | None:
        row = self._read().execute("SELECT id FROM camera WHERE device = ? AND name = ?", camera).fetchone()
        return int(row[0]) if row else None

    def _read(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = sqlite3.connect(self._file, timeout=30)
            connection.execute("PRAGMA cache_size = -16384")
        return connection

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._writing:
            connection = self._read()
            try:
                with connection:
                    yield connection
            except sqlite3.DatabaseError:
                self._cameras.clear()
                raise

    def _open(self) -> None:
        connection = self._read()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError("an index of another version")
        if version == 0:
            with connection:
                connection.executescript(_SCHEMA)
                connection.execute(f"PRAGMA user_version = {VERSION}")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"a damaged index: {verdict}")

    def _discard(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)


def _traits(track: int, shot: int, quality: float, last: int) -> Traits:
    return Traits(track, shot, quality, bool(last))
