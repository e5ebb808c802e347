"""What the pages are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.templating import Jinja2Templates

from facefleet.gallery.bucket import Bucket
from facefleet.gallery.crawler import Crawler
from facefleet.gallery.index import Index
from facefleet.gallery.live import Watchers
from facefleet.gallery.people import People
from facefleet.gallery.pictures import Thumbnails
from facefleet.gallery.sessions import Sessions
from facefleet.gallery.throttle import Throttle
from facefleet.gallery.visits import visit_id

FOLDER = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Parts:
    """Put together once, by the service."""

    bucket: Bucket
    index: Index
    crawler: Crawler
    thumbnails: Thumbnails
    watchers: Watchers
    people: People
    sessions: Sessions
    throttle: Throttle
    fleet: Callable[[], bytes] | None
    """Asks for the roster of the devices."""
    https: bool
    session_s: float
    templates: Jinja2Templates


def page_templates(*, has_fleet: bool) -> Jinja2Templates:
    """Return our templates; all that they show is escaped."""
    templates = Jinja2Templates(FOLDER / "templates")
    templates.env.globals |= {"has_fleet": has_fleet, "visit_id": visit_id}
    templates.env.trim_blocks = templates.env.lstrip_blocks = True
    return templates
