"""The catalogue: each fault that the campaign knows, the site it needs, and the load it is struck under."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from tests.chaos import disk, faults, uplink
from tests.chaos.cloud import CloudPlan
from tests.chaos.disk import MIB, CuttableDisk, SmallDisk
from tests.chaos.edge import EdgePlan, WhenFull
from tests.chaos.faults import Strike
from tests.chaos.site import Plan

RATE = 60.0
PLAIN = Plan()
KB = 1024


@dataclass(frozen=True)
class Row:
    """One row of the table; `obstacle` tells why it cannot be run here, empty when it can."""

    name: str
    strike: Strike
    plan: Plan = PLAIN
    rate: float = RATE
    least_bytes: int = KB
    most_bytes: int = 20 * KB
    obstacle: Callable[[], str] = lambda: ""
    long: bool = False
    """Takes minutes: left out of short campaigns."""

    @property
    def slug(self) -> str:
        """Return the name as a camera's."""
        words = "".join(letter if letter.isalnum() else " " for letter in self.name.lower()).split()
        return "-".join(words)


def _small_disk() -> str:
    return disk.missing(SmallDisk.TOOLS) or uplink.missing()


def _cuttable_disk() -> str:
    return disk.missing(CuttableDisk.TOOLS)


def _full(name: str, when_full: WhenFull, strike: Strike, spool_bytes: int, disk_bytes: int) -> Row:
    return Row(
        f"{name}, {when_full}",
        strike,
        Plan(
            edge=EdgePlan(
                when_full=when_full,
                spool_max_bytes=spool_bytes,
                disk="small",
                small_disk_bytes=disk_bytes,
            )
        ),
        rate=100,
        least_bytes=100 * KB,
        most_bytes=400 * KB,
        obstacle=_small_disk,
    )


PROXIED = Plan(cloud=CloudPlan(proxied=True))

KILLS = [
    Row(f"kill -9 {name}", faults.kill(name))
    for name in ("detector", "edge broker", "forwarder", "cloud broker", "processor", "S3")
]
LINK = [
    Row("link unplugged", faults.unplug(4)),
    Row("link silent", faults.silence(4), obstacle=uplink.missing),
    Row("link cut for minutes", faults.silence(75), obstacle=uplink.missing, long=True),
    Row("30 % packet loss", faults.lose_packets(0.3, 5), obstacle=uplink.missing),
]
S3 = [Row("S3 stopped", faults.stop_s3)]
S3_PROXIED = [
    Row("S3 says 500", faults.break_s3("500"), PROXIED),
    Row("S3 says 503", faults.break_s3("503"), PROXIED),
    Row("S3 says 403", faults.break_s3("403"), PROXIED),
    Row("S3 slow", faults.break_s3("slow", seconds=4), PROXIED),
    Row("S3 closes mid-request", faults.break_s3("cut-request", share=0.5), PROXIED),
    Row("S3 closes mid-answer", faults.break_s3("cut-response", share=0.5), PROXIED),
]
TWO = [Row("two processors, kills", faults.kill_processors, Plan(cloud=CloudPlan(processors=2)))]
FULL = [
    row
    for policy in get_args(WhenFull)
    for row in (
        _full("spool full", policy, faults.fill_spool, 64 * MIB, 128 * MIB),
        _full("disk below bound", policy, faults.fill_small_disk, 1024 * MIB, 128 * MIB),
        _full("disk filled by other", policy, faults.fill_by_other, 64 * MIB, 128 * MIB),
    )
]
POWER = [
    Row("power cut", faults.cut_power, Plan(edge=EdgePlan(disk="cuttable")), obstacle=_cuttable_disk),
]
UPGRADE = [Row("upgrade in mid-backlog", faults.upgrade, Plan(edge=EdgePlan(old=True)))]
QOS = [
    Row(
        f"QoS {qos}, kill and cut",
        faults.kill_and_cut,
        Plan(edge=EdgePlan(qos=qos), cloud=CloudPlan(qos=qos)),
        obstacle=uplink.missing,
    )
    for qos in (0, 1, 2)
]

ROWS: list[Row] = [
    *KILLS,
    Row("kill -9 at random", faults.kill_at_random),
    *LINK,
    *S3,
    *S3_PROXIED,
    *TWO,
    *FULL,
    *POWER,
    *UPGRADE,
    *QOS,
]
"""In an order that rebuilds the site rarely."""


def chosen(only: list[str], *, long: bool) -> list[Row]:
    """Return the rows whose name holds one of the words, or all; long ones only when asked for.

    Raises:
        ValueError: when a word fits no row.
    """
    if not only:
        return [row for row in ROWS if long or not row.long]
    for word in only:
        if not any(word.lower() in row.name.lower() for row in ROWS):
            raise ValueError(f"no fault is called {word!r}; there are: {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if any(word.lower() in row.name.lower() for word in only)]


def spread(cycles: int, rows: list[Row]) -> dict[str, int]:
    """Return how many cycles each row gets: once at least, and the rest evenly; a long one gets one."""
    counts = dict.fromkeys((row.name for row in rows), 1)
    short = [row.name for row in rows if not row.long] or list(counts)
    for number in range(cycles - len(rows)):
        counts[short[number % len(short)]] += 1
    return counts
