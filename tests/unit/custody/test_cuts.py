"""A power cut leaves any beginning of what was written last: all that was acknowledged is there."""

import os
from pathlib import Path

import pytest
from facefleet.custody.entry import Kept
from facefleet.custody.layout import HEADER_SIZE
from facefleet.custody.spool import Spool

from tests.unit.custody.folders import balanced, copied, drained, entry, segments

BATCHES = ((1, 2), (3,), (4, 5, 6))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A spool that was not closed, and the size of its segment after each batch."""
    folder = tmp_path_factory.mktemp("written") / "spool"
    spool = Spool(folder, max_bytes=1 << 20)
    sizes = []
    for numbers in BATCHES:
        assert spool.append([entry(number, 40) for number in numbers]) == [Kept.KEPT] * len(numbers)
        sizes.append(segments(folder)[0].stat().st_size)
    cut = copied(folder, folder.parent / "cut")
    spool.close()
    return cut, sizes


def test_a_cut_at_every_byte(written: tuple[Path, list[int]], tmp_path: Path) -> None:
    source, sizes = written
    for size in range(sizes[-1] + 1):
        folder = copied(source, tmp_path / str(size))
        os.truncate(segments(folder)[0], size)
        spool = Spool(folder, max_bytes=1 << 20)
        numbers = [int(record.body.split(b":")[0]) for record in drained(spool)]
        committed = [
            number for batch, end in zip(BATCHES, sizes, strict=True) if end <= size for number in batch
        ]
        assert numbers[: len(committed)] == committed
        assert numbers == list(range(1, len(numbers) + 1))
        accounts = spool.accounts()
        assert balanced(accounts)
        assert accounts.damaged == 0
        assert accounts.taken == len(numbers)
        at_a_boundary = size in {0, HEADER_SIZE, *(HEADER_SIZE + at * (48 + 40) for at in range(7))}
        assert accounts.torn == (0 if at_a_boundary else 1)
        # And it goes on as if nothing had been.
        assert spool.append([entry(99)]) == [Kept.KEPT]
        record = spool.next("newest")
        assert record is not None
        assert record.body.startswith(b"99:")
        assert spool.release(record.ticket)
        spool.close()
        spool = Spool(folder, max_bytes=1 << 20)
        assert spool.accounts().torn == 0
        assert [int(record.body.split(b":")[0]) for record in drained(spool)] == numbers
        assert len(segments(folder)) <= 2
        spool.close()


def test_a_cut_at_every_byte_of_a_file_that_is_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=1 << 20, segment_bytes=1500)
    # The same sizes as later, so that old records lie exactly where new ones may be missing.
    spool.append([entry(number, 40) for number in range(101, 113)])
    for record in drained(spool):
        spool.release(record.ticket)
    (old,) = [path.read_bytes() for path in folder.glob("spare-*")]
    states = []
    for numbers in ((1, 2), (3,), (4, 5, 6)):
        spool.append([entry(number, 40) for number in numbers])
        states.append(segments(folder)[0].read_bytes())
    assert len(states[0]) == len(states[2]) > HEADER_SIZE + 10 * 88
    source = copied(folder, tmp_path / "cut")
    spool.close()
    end = HEADER_SIZE + 6 * 88
    for cut in range(HEADER_SIZE + 3 * 88, end + 1):
        cut_folder = copied(source, tmp_path / str(cut))
        segments(cut_folder)[0].write_bytes(states[2][:cut] + states[1][cut:])
        spool = Spool(cut_folder, max_bytes=1 << 20)
        found = [int(record.body.split(b":")[0]) for record in drained(spool)]
        assert found == list(range(1, (cut - HEADER_SIZE) // 88 + 1))
        accounts = spool.accounts()
        assert balanced(accounts)
        assert (accounts.damaged, accounts.held) == (0, len(found))
        # A body without its end is known to be torn; of a header without its end nothing is known.
        assert accounts.torn == ((cut - HEADER_SIZE) % 88 >= 48)
        spool.close()
    # Not even the header had come to the disk when the power went.
    for cut in range(HEADER_SIZE + 2):
        cut_folder = copied(source, tmp_path / f"header{cut}")
        segments(cut_folder)[0].write_bytes(states[0][:cut] + old[cut:])
        spool = Spool(cut_folder, max_bytes=1 << 20)
        assert drained(spool) == []
        assert balanced(spool.accounts())
        spool.close()


def test_a_tail_of_zeros_is_cut_off(written: tuple[Path, list[int]], tmp_path: Path) -> None:
    folder = copied(written[0], tmp_path / "zeros")
    with segments(folder)[0].open("ab") as file:
        file.write(bytes(5000))
    spool = Spool(folder, max_bytes=1 << 20)
    assert (spool.waiting, spool.accounts().torn, spool.accounts().damaged) == (6, 1, 0)
    assert segments(folder)[0].stat().st_size < 5000
    spool.close()


def test_a_hole_in_the_last_batch_is_torn_and_one_before_it_is_damage(
    written: tuple[Path, list[int]], tmp_path: Path
) -> None:
    # A power cut may leave later blocks of a write and not the earlier ones.
    for number, torn, damaged in ((5, 1, 0), (3, 0, 1)):
        folder = copied(written[0], tmp_path / str(number))
        with segments(folder)[0].open("r+b") as file:
            file.seek(HEADER_SIZE + (number - 1) * 88)
            file.write(bytes(88))
        for tails in (torn, 0):
            spool = Spool(folder, max_bytes=1 << 20)
            accounts = spool.accounts()
            assert (accounts.torn, accounts.damaged, accounts.held) == (tails, damaged, 5)
            assert balanced(accounts)
            spool.close()


def test_a_closed_segment_that_lost_its_end_is_damaged_not_torn(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20, segment_bytes=1000)
    spool.append([entry(number, 200) for number in range(1, 9)])
    spool.close()
    first, second, *_ = segments(tmp_path / "spool")
    assert second is not None
    os.truncate(first, HEADER_SIZE + 248 + 100)
    for _ in range(2):
        spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
        accounts = spool.accounts()
        assert balanced(accounts)
        assert (accounts.taken, accounts.held, accounts.torn) == (8, 6, 0)
        assert accounts.damaged == 2
        spool.close()


@pytest.mark.parametrize("marks", [None, b"", b"H", b"\x01\x02\xffzzzzzz", bytes(range(256)) * 16])
def test_a_lost_or_damaged_release_file_leads_to_a_resend_at_most(
    marks: bytes | None, tmp_path: Path
) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=1 << 20)
    spool.append([entry(number) for number in range(1, 5)])
    for _ in range(2):
        record = spool.next("oldest")
        assert record is not None
        spool.release(record.ticket)
    spool.close()
    (release,) = folder.glob("*.rel")
    if marks is None:
        release.unlink()
    else:
        release.write_bytes(marks)
    spool = Spool(folder, max_bytes=1 << 20)
    accounts = spool.accounts()
    assert balanced(accounts)
    assert accounts.taken == 4
    numbers = [record.body[0] - ord("0") for record in drained(spool)]
    assert len(numbers) == accounts.held
    if marks is None or len(marks) < 10:
        assert {3, 4} <= set(numbers)
    spool.close()
