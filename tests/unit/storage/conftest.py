"""Scripted servers that end with their test."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.storage.scripted import OK, ScriptedServer

MakeServer = Callable[..., ScriptedServer]


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    """Start a server that gives these answers in their order, and the last of them for ever."""
    made: list[ScriptedServer] = []

    def make(*answers: bytes) -> ScriptedServer:
        script = list(answers or (OK,))
        server = ScriptedServer(lambda _head, _body: script.pop(0) if len(script) > 1 else script[0])
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()
