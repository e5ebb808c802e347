"""Profiles all threads of a process, each on its own processor clock: waiting does not count.

Run as a script, `profiled.py SERVICE FILE` runs a service and writes its profile when it stops. It imports
nothing of the tests, for it runs in the service's image.
"""

import contextlib
import cProfile
import pstats
import runpy
import sys
import threading
import time
from collections.abc import Iterator


class ThreadProfile(cProfile.Profile):
    """A profile that another thread may read, whose clock is not the profiled one's."""

    def create_stats(self) -> None:
        self.snapshot_stats()


@contextlib.contextmanager
def profiling(file: str) -> Iterator[None]:
    """Profile each thread that starts from here on; write the sum into a file."""
    profiles: list[ThreadProfile] = []

    def begin(*_: object) -> None:
        profile = ThreadProfile(time.thread_time)
        profiles.append(profile)
        profile.enable()

    threading.setprofile(begin)
    try:
        yield
    finally:
        threading.setprofile(None)
        stats = pstats.Stats()
        for profile in profiles:
            with contextlib.suppress(TypeError):  # a thread that never called anything
                stats.add(profile)
        stats.dump_stats(file)


def main() -> None:
    _, service, file = sys.argv
    sys.argv = [service]
    with profiling(file):
        runpy.run_module(f"facefleet.{service}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
