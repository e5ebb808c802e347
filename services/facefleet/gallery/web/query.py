"""What a page's address asks for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from facefleet.gallery.face import Face
from facefleet.gallery.index import ALL
from facefleet.gallery.timeline import Span, span_of
from facefleet.storage.faces import Camera

NEWEST = (ALL.end_ms, "")


class BadQueryError(Exception):
    """The address asks for what cannot be; the text names it."""


@dataclass(frozen=True, slots=True)
class Query:
    """Filters, each empty for no filter, and from where on to go back in time."""

    device: str = ""
    camera: str = ""
    day: str = ""
    """`yyyy-mm-dd`, UTC."""
    hour: str = ""
    before: tuple[int, str] = NEWEST

    @property
    def span(self) -> Span:
        """Return the time that is asked for."""
        return span_of(self.day, self.hour) or ALL

    @property
    def live(self) -> bool:
        """Return whether new faces belong on the page."""
        return not self.day and self.before == NEWEST

    def cameras(self, known: Sequence[Camera]) -> list[Camera] | None:
        """Return those that are asked for; None for all."""
        if not self.device and not self.camera:
            return None
        return [camera for camera in known if self.takes(camera)]

    def takes(self, camera: Camera) -> bool:
        """Return whether a camera's faces are asked for."""
        return self.device in ("", camera.device) and self.camera in ("", camera.name)

    def address(self, **changes: str) -> str:
        """Return the address of the first page with some filters changed."""
        filters = {"device": self.device, "camera": self.camera, "day": self.day, "hour": self.hour} | changes
        return "/?" + urlencode({name: value for name, value in filters.items() if value})

    def older_than(self, face: Face) -> str:
        """Return the address of the page that goes on after a face."""
        return self.address(before=f"{face.time_ms}~{face.name}")


def read_query(given: Mapping[str, str]) -> Query:
    """Read the parameters of an address.

    Raises:
        BadQueryError: when one is impossible.
    """
    time, _, name = given.get("before", "").partition("~")
    try:
        query = Query(
            given.get("device", ""),
            given.get("camera", ""),
            given.get("day", ""),
            given.get("hour", "") if given.get("day") else "",
            (int(time), name) if time else NEWEST,
        )
        if not -(2**62) <= query.before[0] <= 2**62:
            raise ValueError("that is no time")  # noqa: TRY301 - one place says what is wrong
        query.span  # noqa: B018 - to check it
    except ValueError as error:
        raise BadQueryError(f"The address asks for what cannot be: {error}") from None
    return query
