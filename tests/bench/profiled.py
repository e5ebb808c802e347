"""Profiles all threads of a process, each on its own processor clock: waiting does not count.

Run as a script, `profiled.py SERVICE FILE` runs a service and writes its profile when it stops. It imports
nothing of the tests, for it runs in the service's image. Not cProfile: since Python 3.12 it knows one thread.
"""

import contextlib
import json
import runpy
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

BUILT_IN = "~"


class Stopwatch:
    """Of one thread: how long each function ran, without what it called and without the watch's own work."""

    def __init__(self) -> None:
        self.own_ns: dict[object, int] = {}
        self.calls: dict[object, int] = {}
        self._stack: list[object] = [None]
        self._since = time.thread_time_ns()

    def note(self, frame: FrameType, event: str, function: Any) -> None:
        """Take an event of `sys.setprofile`."""
        running = self._stack[-1]
        self.own_ns[running] = self.own_ns.get(running, 0) + time.thread_time_ns() - self._since
        if event in {"call", "c_call"}:
            called = frame.f_code if event == "call" else _built_in(function)
            self._stack.append(called)
            self.calls[called] = self.calls.get(called, 0) + 1
        elif len(self._stack) > 1:
            self._stack.pop()
        self._since = time.thread_time_ns()


def _built_in(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    kind = getattr(owner, "__name__", None) or type(owner).__name__
    return f"{kind}.{function.__name__}"


@contextlib.contextmanager
def profiling(file: str) -> Iterator[None]:
    """Watch each thread that starts from here on; write the sum into a file."""
    watches: list[Stopwatch] = []

    def begin(*_: object) -> None:
        watch = Stopwatch()
        watches.append(watch)
        sys.setprofile(watch.note)

    threading.setprofile(begin)
    try:
        yield
    finally:
        threading.setprofile(None)
        Path(file).write_text(json.dumps(summed(watches)))


def summed(watches: list[Stopwatch]) -> list[tuple[str, int, str, int, float]]:
    """Return file, line, name, calls and seconds of each function, over all threads."""
    total: dict[tuple[str, int, str], tuple[int, float]] = {}
    for watch in watches:
        for function, own_ns in list(watch.own_ns.items()):
            if function is None:
                continue
            place = _place(function)
            calls, seconds = total.get(place, (0, 0.0))
            total[place] = calls + watch.calls.get(function, 0), seconds + own_ns / 1e9
    return [(*place, calls, seconds) for place, (calls, seconds) in total.items()]


def _place(function: object) -> tuple[str, int, str]:
    if isinstance(function, CodeType):
        return function.co_filename, function.co_firstlineno, function.co_qualname
    return BUILT_IN, 0, str(function)


def main() -> None:
    _, service, file = sys.argv
    sys.argv = [service]
    with profiling(file):
        runpy.run_module(f"facefleet.{service}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
