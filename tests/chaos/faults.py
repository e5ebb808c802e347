"""What is done to the site: each function strikes once, ends the fault, and tells what it did."""

import time
from collections.abc import Callable

from tests.chaos.disk import MIB
from tests.chaos.scene import NotStruckError, Scene

Strike = Callable[[Scene, int], None]
"""Given the scene and the number of the cycle, from 0; returns when the fault has ended."""

FILL_WITHIN_S = 40
BACKLOG_WITHIN_S = 15
FULL_ENOUGH = 60
"""Events refused or given up until a full disk counts as full."""
SLOW_S = 2.0
AFTER_CUT_S = 0.3
STALL_S = 1.0
TAKERS = {
    "detector": "edge broker",
    "edge broker": "forwarder",
    "forwarder": "cloud broker",
    "cloud broker": "processor",
    "processor": "S3",
    "processor 2": "S3",
}
"""Who takes from whom."""


def kill(name: str, down_s: float = 1.0) -> Strike:
    """Kill a part that has something to lose; every second time in the middle of plain traffic."""

    def strike(scene: Scene, cycle: int) -> None:
        if cycle % 2:
            scene.site.meter.look()  # its counters go with it
            scene.kill(name, down_s)
        else:
            _kill_laden(scene, name, down_s)

    return strike


def _kill_laden(scene: Scene, name: str, down_s: float) -> None:
    """Stall who takes from a part, so that what it was given is still with it, and kill it then.

    Traffic alone would not do: a message is with a broker for a millisecond, and no kill would hit one.
    """
    takers = [part for part in scene.site.parts() if part.startswith(TAKERS[name])] if name in TAKERS else []
    scene.site.meter.look()
    for taker in takers:
        scene.part(taker).pause()
        scene.note(f"stall {taker}")
    time.sleep(STALL_S)
    scene.kill(name, down_s)
    for taker in takers:
        scene.part(taker).unpause()
        scene.note(f"{taker} goes on")


def kill_at_random(scene: Scene, _cycle: int) -> None:
    """Kill one to three parts, whichever, at moments as they fall; start them in another order."""
    names = scene.dice.sample(sorted(scene.site.parts()), scene.dice.randint(1, 3))
    scene.site.meter.look()
    for name in names:
        scene.part(name).kill()
        scene.note(f"kill -9 {name}")
        time.sleep(scene.dice.uniform(0, 1.5))
    for name in scene.dice.sample(names, len(names)):
        scene.part(name).start()
        scene.note(f"start {name}")
        time.sleep(scene.dice.uniform(0, 0.5))


def stop_s3(scene: Scene, _cycle: int) -> None:
    """Stop the S3 server as an upgrade of it would."""
    scene.part("S3").stop()
    scene.note("stop S3")
    time.sleep(1)
    scene.part("S3").start()
    scene.note("start S3")


def unplug(seconds: float) -> Strike:
    """Take the interface away; the link comes back with another one."""

    def strike(scene: Scene, _cycle: int) -> None:
        uplink = scene.edge.uplink()
        uplink.unplug()
        scene.note("unplug the link")
        try:
            _await_backlog(scene, seconds)
        finally:
            uplink.plug()
            scene.note("plug the link")

    return strike


def silence(seconds: float) -> Strike:
    """Drop every packet: nobody is told that the link is gone."""

    def strike(scene: Scene, _cycle: int) -> None:
        uplink = scene.edge.uplink()
        uplink.drop()
        scene.note("drop all packets")
        try:
            _await_backlog(scene, seconds)
        finally:
            uplink.heal()
            scene.note("let packets through")

    return strike


def lose_packets(share: float, seconds: float) -> Strike:
    """Lose a share of the packets, each way."""

    def strike(scene: Scene, _cycle: int) -> None:
        uplink = scene.edge.uplink()
        uplink.drop(share)
        scene.note(f"lose {share:.0%} of the packets")
        time.sleep(seconds)
        lost = uplink.dropped()
        uplink.heal()
        scene.note(f"lose no more; {lost} were")
        _expect(lost > 0, "no packet was lost")

    return strike


def break_s3(mode: str, seconds: float = 3.0, share: float = 1.0) -> Strike:
    """Let the proxy before the S3 server answer wrongly."""

    def strike(scene: Scene, _cycle: int) -> None:
        cloud = scene.site.cloud
        cloud.tell_proxy(mode, share, SLOW_S)
        scene.note(f"S3 {mode} for {share:.0%} of the requests")
        time.sleep(seconds)
        struck = cloud.struck()
        cloud.tell_proxy("pass")
        scene.note(f"S3 is well again; {struck} requests were struck")
        _expect(struck > 0, "no request met the fault")

    return strike


def fill_spool(scene: Scene, _cycle: int) -> None:
    """Cut the link until the spool is at its bound, or the disk below it has no room."""
    _fill(scene, 0)


def fill_small_disk(scene: Scene, _cycle: int) -> None:
    """Cut the link on a disk that is smaller than the spool's bound."""
    _fill(scene, 32 * MIB)


def fill_by_other(scene: Scene, _cycle: int) -> None:
    """Cut the link, and let another program take all the room that is left."""
    disk = scene.edge.small
    assert disk
    _fill(scene, 0, other=disk.fill)


def _fill(scene: Scene, leave: int, other: Callable[[], int] | None = None) -> None:
    disk = scene.edge.small
    assert disk
    uplink = scene.edge.uplink()
    if leave:
        disk.fill(leave)
    uplink.drop()
    scene.note("cut the link")
    try:
        if other:
            time.sleep(1)
            scene.note(f"another program writes {other() / MIB:.0f} MiB: the disk is full")
        _await_full(scene)
    finally:
        disk.clear()
        uplink.heal()
        scene.note("link and disk are well again")


def _await_full(scene: Scene) -> None:
    given_up = scene.given_up()
    begun = time.monotonic()
    while scene.given_up() - given_up < FULL_ENOUGH and scene.held_by_load() < FULL_ENOUGH:
        _expect(time.monotonic() - begun < FILL_WITHIN_S, "nothing was refused or given up")
        scene.revive()
        time.sleep(0.2)
    time.sleep(1)
    scene.note(f"full: {scene.given_up() - given_up} given up, {scene.held_by_load()} held by the detector")
    scene.load.rate(5)  # so that nothing is given up between here and the link's return
    time.sleep(0.5)
    scene.newest.update(event.id for event in scene.captured()[-5:])


def _await_backlog(scene: Scene, least_s: float) -> None:
    """Wait so long, and until the forwarder holds something that the cut keeps from the cloud."""
    time.sleep(least_s)
    held = scene.wait(lambda: scene.held_by_forwarder() > 0, BACKLOG_WITHIN_S)
    _expect(held is not None, "the forwarder held nothing while the link was cut")


def cut_power(scene: Scene, cycle: int) -> None:
    """Cut the power of the whole edge; every second time without a backlog."""
    if not cycle % 2:
        scene.edge.uplink().unplug()
        scene.note("unplug the link")
        _await_backlog(scene, 2)
    later = scene.edge.cut_power(AFTER_CUT_S)
    scene.note(f"power cut and back; {later} captures came after the cut and may be lost")
    _expect(later > 0, "nothing was captured between the cut and the end of the services")
    if not cycle % 2:
        scene.edge.uplink().plug()
        scene.note("plug the link")


def kill_processors(scene: Scene, cycle: int) -> None:
    """Kill one of two processors, then the other."""
    names = ["processor", "processor 2"]
    for name in names if cycle % 2 == 0 else reversed(names):
        _kill_laden(scene, name, 1)


def upgrade(scene: Scene, _cycle: int) -> None:
    """Replace the edge's containers while a backlog lies on the disk."""
    scene.edge.uplink().unplug()
    scene.note("unplug the link")
    _await_backlog(scene, 3)
    held = scene.held_by_forwarder()
    scene.edge.upgrade(scene.site.next_images())
    scene.note(f"replace the edge's containers, backlog {held}")
    scene.edge.uplink().plug()
    scene.note("plug the link")


def kill_and_cut(scene: Scene, cycle: int) -> None:
    """Kill one of the four that carry, then cut the link: what a QoS level might be thought to save from."""
    names = ["cloud broker", "edge broker", "processor", "forwarder"]
    _kill_laden(scene, names[cycle % len(names)], 0.5)
    time.sleep(1)
    silence(2)(scene, cycle)


def _expect(struck: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion
    if not struck:
        raise NotStruckError(otherwise)
