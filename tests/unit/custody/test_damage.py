"""Bytes that a disk gives back otherwise than they were written: counted, set aside, and never in the way."""

from pathlib import Path

import pytest
from facefleet.custody import ledger
from facefleet.custody.entry import Kept
from facefleet.custody.spool import Spool

from tests.unit.custody.folders import balanced, copied, drained, entry, segments, weight

BODIES = {f"{number}:".encode() + bytes((number,)) * 18 for number in range(1, 5)}


def written(folder: Path, *, close: bool) -> Path:
    spool = Spool(folder, max_bytes=1 << 20)
    spool.append([entry(1, 20), entry(2, 20)])
    spool.append([entry(3, 20)])
    spool.append([entry(4, 20)])
    if not close:
        folder = copied(folder, folder.with_name("cut"))
    spool.close()
    return folder


@pytest.mark.parametrize("end", ["closed", "crashed"])
@pytest.mark.parametrize("flip", [0x01, 0xFF])
def test_every_byte_flipped(end: str, flip: int, tmp_path: Path) -> None:
    source = written(tmp_path / "spool", close=end == "closed")
    data = segments(source)[0].read_bytes()
    for at in range(len(data)):
        folder = copied(source, tmp_path / f"{at}")
        segments(folder)[0].write_bytes(data[:at] + bytes((data[at] ^ flip,)) + data[at + 1 :])
        spool = Spool(folder, max_bytes=1 << 20)
        bodies = [record.body for record in drained(spool)]
        assert set(bodies) <= BODIES
        assert len(bodies) >= 3
        assert len(set(bodies)) == len(bodies)
        accounts = spool.accounts()
        assert balanced(accounts)
        assert accounts.held == len(bodies)
        # What was in the last batch of a segment that was not closed may never have been committed.
        assert accounts.taken == 4 or (end == "crashed" and accounts.torn == 1)
        assert accounts.damaged == accounts.taken - len(bodies)
        if accounts.damaged:
            assert list(folder.glob("set-aside/*.bin"))
        assert spool.append([entry(50)]) == [Kept.KEPT]
        assert weight(folder) <= spool.accounts().disk_bytes
        spool.close()
        spool = Spool(folder, max_bytes=1 << 20)
        assert spool.accounts().damaged == accounts.damaged
        assert len(drained(spool)) == len(bodies) + 1
        spool.close()


@pytest.mark.parametrize("length", [1, 30, 100])
def test_a_piece_missing_anywhere(length: int, tmp_path: Path) -> None:
    source = written(tmp_path / "spool", close=True)
    data = segments(source)[0].read_bytes()
    for at in range(0, len(data), 3):
        folder = copied(source, tmp_path / f"{at}")
        segments(folder)[0].write_bytes(data[:at] + data[at + length :])
        spool = Spool(folder, max_bytes=1 << 20)
        assert {record.body for record in drained(spool)} <= BODIES
        assert balanced(spool.accounts())
        spool.close()


def test_a_body_that_goes_bad_while_it_is_held_is_passed_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    spool.append([entry(number, 500) for number in range(1, 4)])
    (segment,) = segments(tmp_path / "spool")
    with segment.open("r+b") as file:
        file.seek(44 + 548 + 48 + 100)
        file.write(b"?")
    assert [record.body[:2] for record in drained(spool)] == [b"1:", b"3:"]
    accounts = spool.accounts()
    assert (accounts.damaged, accounts.held) == (1, 2)
    (kept,) = (tmp_path / "spool/set-aside").iterdir()
    assert b"?" in kept.read_bytes()
    spool.close()


def test_a_segment_that_is_gone_is_damage_and_blocks_nobody(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20, segment_bytes=2000)
    spool.append([entry(number, 500) for number in range(1, 7)])
    spool._backlog.handles.clear()
    segments(tmp_path / "spool")[0].unlink()
    assert [record.body[:2] for record in drained(spool)] == [b"4:", b"5:", b"6:"]
    assert spool.accounts().damaged == 3
    assert balanced(spool.accounts())
    spool.close()


def test_set_aside_bytes_stay_within_their_share(tmp_path: Path) -> None:
    bound = 512 * 1024
    spool = Spool(tmp_path / "spool", max_bytes=bound)
    spool.append([entry(number, 9000) for number in range(1, 40)])
    spool.close()
    for segment in segments(tmp_path / "spool"):
        data = bytearray(segment.read_bytes())
        data[600::9048] = b"?" * len(data[600::9048])
        segment.write_bytes(data)
    spool = Spool(tmp_path / "spool", max_bytes=bound)
    drained(spool)
    assert spool.accounts().damaged >= 38
    assert balanced(spool.accounts())
    assert 0 < weight(tmp_path / "spool/set-aside") <= bound // 16
    assert weight(tmp_path / "spool") <= spool.accounts().disk_bytes <= bound
    spool.close()


def test_every_byte_of_the_ledger_flipped(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=1 << 20, segment_bytes=1000)
    for number in range(1, 13):
        spool.append([entry(number, 500)])
        if number % 4 == 0:
            for record in drained(spool):
                spool.release(record.ticket)
    spool.append([entry(99)])
    accounts = spool.accounts()
    spool.close()
    data = (folder / ledger.NAME).read_bytes()
    used = [at for at, byte in enumerate(data) if byte not in b" \0"]
    assert len(used) > 200
    for at in used[::3]:
        damaged = copied(folder, tmp_path / str(at))
        (damaged / ledger.NAME).write_bytes(data[:at] + bytes((data[at] ^ 2,)) + data[at + 1 :])
        spool = Spool(damaged, max_bytes=1 << 20)
        after = spool.accounts()
        assert balanced(after)
        assert after.held == 1
        assert 0 < after.taken <= accounts.taken
        spool.close()


def test_a_ledger_that_is_lost_costs_its_sums_only(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=1 << 20)
    spool.append([entry(1), entry(2)])
    spool.close()
    (folder / ledger.NAME).write_bytes(b"x" * ledger.SIZE)
    spool = Spool(folder, max_bytes=1 << 20)
    assert spool.accounts().held == 2
    assert len(list(folder.glob("set-aside/ledger-*"))) == 1
    spool.close()
