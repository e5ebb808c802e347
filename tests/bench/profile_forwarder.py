"""Where the processor time goes: `python -m tests.bench.profile_forwarder [online|drain|paho]`.

online, drain: the forwarder under that load, twice. The first run is not disturbed: the kernel says how much
of each thread's time it spent itself (system) and how much went to Python and its libraries (user). The other
runs under a profiler, which makes calls dear: take shares only from it.

paho: what plain paho-mqtt does to receive the same events, under the same profiler: why messages go past it.
"""

import argparse
import tempfile
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import docker

from tests.bench import bench_client
from tests.bench.bench_forward import CACHE, Found, carry, drain
from tests.bench.measure import thread_cpu_s
from tests.bench.owners import show
from tests.bench.profiled import profiling
from tests.bench.routes import Forwarder, Place
from tests.bench.table import say

COUNT = 20_000
LOADS = {"online": carry, "drain": drain}
PAHO = "paho"
SCRIPT = Path(__file__).resolve().with_name("profiled.py")
LEAST_US = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="profile_forwarder", description=__doc__)
    parser.add_argument("load", nargs="*", help="online, drain, paho; all unless told")
    parser.add_argument("--count", type=int, default=COUNT, help="events a run")
    options = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    engine = docker.from_env()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=CACHE) as folder:
        place = Place(engine, Path(folder))
        for load in options.load or [*LOADS, PAHO]:
            say(f"\n== {load}: {options.count} events of 20 KB ==")
            if load == PAHO:
                show_paho(place, options.count)
            else:
                show_threads(place, load, options.count)
                show_owners(place, load, options.count)
    engine.close()


def show_threads(place: Place, load: str, count: int) -> None:
    """Print what each thread used, in microseconds an event; they stand in the order of their start."""
    with Forwarder(place, f"threads-{load}") as forwarder:
        LOADS[load](forwarder, count, Found())  # warm
        before = thread_cpu_s(forwarder.pid)
        found = Found()
        LOADS[load](forwarder, count, found)
        after = thread_cpu_s(forwarder.pid)
    what = " (taking the backlog included)" if load == "drain" else ""
    say(f"\n{found.rate[0]:,.0f} events/s undisturbed; microseconds an event{what}:")
    say(f"  {'thread':10} {'user':>8} {'system':>8}")
    for number, thread in enumerate(sorted(after)):
        user, system = (
            (now - then) / count * 1e6
            for now, then in zip(after[thread], before.get(thread, (0.0, 0.0)), strict=True)
        )
        if user + system >= LEAST_US:
            say(f"  {number:<10} {user:8.1f} {system:8.1f}")


def show_owners(place: Place, load: str, count: int) -> None:
    """Print the profile of a run."""
    name = f"owners-{load}"
    file = place.folder / name / "forwarder" / "profile"
    command = ["python3", str(SCRIPT), "forwarder", str(file)]
    with Forwarder(place, name, command=command, also=[SCRIPT]) as forwarder:
        LOADS[load](forwarder, count, Found())
    show(file, count)


def show_paho(place: Place, count: int) -> None:
    """Print the profile of a client that does nothing but receive with plain paho."""
    file = place.folder / "paho.profile"
    found = bench_client.Found()
    with place.broker(place.folder / "paho", in_flight=1000) as broker:
        bench_client.one(broker.port, count, bench_client.receive_with_paho, found)
        bench_client.one(broker.port, count, ProfiledPaho(str(file)), bench_client.Found())
    say(f"\n{found.rate[0]:,.0f} events/s undisturbed, {found.cpu_us[0]:.0f} microseconds an event")
    show(file, count)


class ProfiledPaho:
    """Receives with plain paho, under the profiler."""

    __name__ = "receive_with_paho"

    def __init__(self, file: str) -> None:
        self._file = file

    def __call__(self, port: int, count: int, pipe: Pipe) -> bench_client.Took:
        with profiling(self._file):
            return bench_client.receive_with_paho(port, count, pipe)


if __name__ == "__main__":
    main()
