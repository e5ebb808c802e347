"""The routes."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from facefleet.gallery.web.faces import FacePages
from facefleet.gallery.web.fleet import FleetPage
from facefleet.gallery.web.guard import Guard
from facefleet.gallery.web.parts import FOLDER, Parts
from facefleet.gallery.web.sign_in import SignIn


def application(parts: Parts) -> Starlette:
    """Return the gallery's web application."""
    faces, door = FacePages(parts), SignIn(parts)
    routes: list[Route | Mount] = [
        Route("/", faces.faces),
        Route("/face/{key:path}", faces.face),
        Route("/image/{key:path}", faces.image),
        Route("/thumbnail/{key:path}", faces.thumbnail),
        Route("/live", faces.live),
        Route("/sign-in", door.page),
        Route("/sign-in", door.enter, methods=["POST"]),
        Route("/sign-out", door.leave, methods=["POST"]),
        Route("/healthy", healthy),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]
    if parts.fleet:
        routes.append(Route("/fleet", FleetPage(parts, parts.fleet).page))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, sessions=parts.sessions, people=parts.people, https=parts.https)],
    )


async def healthy(_request: Request) -> Response:
    """Say that pages are served, to whoever asks."""
    return PlainTextResponse("healthy\n")
