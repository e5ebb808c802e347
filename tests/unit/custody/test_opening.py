"""Who may open a folder, and what an older or a newer release left in it."""

import hashlib
import json
import shutil
import zlib
from pathlib import Path

import pytest
from facefleet.custody import layout, ledger
from facefleet.custody.entry import Fate, Kept, Ticket
from facefleet.custody.errors import FutureFormatError, SpoolError
from facefleet.custody.spool import Spool

from tests.unit.custody.folders import balanced, copied, drained, entry, segments

GOLDEN = Path(__file__).with_name("golden-v1")


def content(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "lock"
    }


def test_a_spool_of_format_1_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    shutil.copytree(GOLDEN, folder)
    spool = Spool(folder, max_bytes=1 << 20)
    accounts = spool.accounts()
    assert balanced(accounts)
    assert (accounts.taken, accounts.handed_on, accounts.rejected, accounts.held) == (8, 3, 1, 4)
    assert accounts.torn == 0
    records = drained(spool)
    assert [record.body for record in records] == [
        b"".join(entry(number, 60).parts) for number in (5, 7, 8, 9)
    ]
    assert [record.score for record in records] == [pytest.approx(number / 10) for number in (5, 7, 8, 9)]
    assert all(record.age_s < 366 * 86_400 for record in records)
    assert spool.append([entry(7, 60)]) == [Kept.REPEAT]
    assert all(spool.release(record.ticket) for record in records)
    spool.close()


def next_format(path: Path) -> None:
    """Let a file say that it is of format 2, as the next release would write it."""
    data = path.read_bytes()
    if path.suffix == ".seg":
        header = layout.decode_header(data)
        assert header is not None
        data = layout.encode_header(header._replace(version=layout.VERSION + 1)) + data[layout.HEADER_SIZE :]
    else:
        slots = []
        for at in (0, ledger.SLOT):
            slot = data[at : at + ledger.SLOT]
            if slot.strip(b"\0"):
                said = json.loads(slot)
                del said["crc32"]
                said["version"] = layout.VERSION + 1
                said["crc32"] = zlib.crc32(json.dumps(said, sort_keys=True).encode())
                slot = json.dumps(said).encode().ljust(ledger.SLOT - 1) + b"\n"
            slots.append(slot)
        data = b"".join(slots)
    path.write_bytes(data)


@pytest.mark.parametrize("which", ["first segment", "last segment", "ledger"])
def test_a_format_from_the_future_is_refused_and_left_untouched(which: str, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    shutil.copytree(GOLDEN, folder)
    # Something that an open would mend, if it went that far.
    with segments(folder)[-1].open("ab") as file:
        file.write(b"torn")
    (folder / f"{77:020d}.rel").write_bytes(b"H")
    path = {
        "first segment": segments(folder)[0],
        "last segment": segments(folder)[-1],
        "ledger": folder / ledger.NAME,
    }[which]
    next_format(path)
    before = content(folder)
    with pytest.raises(FutureFormatError) as refusal:
        Spool(folder, max_bytes=1 << 20)
    assert str(path) in str(refusal.value)
    assert "format 2" in str(refusal.value)
    assert "up to 1" in str(refusal.value)
    assert "run the newer release, or let it drain the spool first" in str(refusal.value)
    assert content(folder) == before


def test_a_second_opener_is_refused_by_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    with pytest.raises(SpoolError, match=f"{tmp_path}/spool is open already: end the other"):
        Spool(tmp_path / "spool", max_bytes=1 << 20)
    spool.close()
    Spool(tmp_path / "spool", max_bytes=1 << 20).close()


def test_what_cannot_be_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"file/spool cannot be used: Not a directory"):
        Spool(tmp_path / "file/spool", max_bytes=1 << 20)
    with pytest.raises(SpoolError, match="cannot do with 65535 bytes: give it 65536 or more"):
        Spool(tmp_path / "spool", max_bytes=65_535)


def test_opens_leave_no_empty_segments_behind(tmp_path: Path) -> None:
    for number in range(1, 6):
        spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
        spool.append([entry(number)])
        for record in drained(spool):
            spool.release(record.ticket)
        spool.close()
        Spool(tmp_path / "spool", max_bytes=1 << 20).close()
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    assert segments(tmp_path / "spool") == []
    assert spool.accounts().handed_on == 5
    spool.close()


def test_repeats_are_known_after_a_reopen_and_a_crash(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    assert spool.append([entry(1), entry(2), entry(1)]) == [Kept.KEPT, Kept.KEPT, Kept.REPEAT]
    record = spool.next("oldest")
    assert record is not None
    spool.release(record.ticket)
    crashed = copied(tmp_path / "spool", tmp_path / "crashed")
    spool.close()
    for folder in (tmp_path / "spool", crashed):
        spool = Spool(folder, max_bytes=1 << 20)
        assert spool.append([entry(1), entry(2), entry(3)]) == [Kept.REPEAT, Kept.REPEAT, Kept.KEPT]
        assert spool.accounts().taken == 3
        spool.close()


def test_a_ticket_names_one_record_only_whatever_is_restored(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    spool.append([entry(1)])
    snapshot = copied(tmp_path / "spool", tmp_path / "snapshot")
    spool.append([entry(2)])
    tickets = [record.ticket for record in drained(spool)]
    spool.close()
    spool = Spool(snapshot, max_bytes=1 << 20)
    spool.append([entry(3), entry(4)])
    # The second record came after the snapshot: its number is free there, its ticket must not fit.
    assert not spool.release(tickets[1])
    assert spool.accounts().held == 3
    assert spool.release(tickets[0])
    assert not spool.release(tickets[0])
    assert [record.body[:2] for record in drained(spool)] == [b"3:", b"4:"]
    spool.close()


def test_what_the_ledger_counts_is_removed_not_counted_twice(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=1 << 20, segment_bytes=1000)
    spool.append([entry(number, 500) for number in range(1, 4)])
    stale = copied(folder, tmp_path / "stale")
    for record in drained(spool):
        spool.release(record.ticket)
    spool.close()
    assert len(segments(folder)) < len(segments(stale))
    # As if the removal had not come to the disk before the power went.
    for path in segments(stale)[:-1]:
        shutil.copy(path, folder)
    spool = Spool(folder, max_bytes=1 << 20)
    accounts = spool.accounts()
    assert (accounts.taken, accounts.handed_on, accounts.held) == (3, 3, 0)
    spool.close()


def test_tickets_travel_as_twelve_bytes() -> None:
    ticket = Ticket(0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF)
    assert Ticket.decode(ticket.encoded()) == ticket
    assert Ticket(1, 2).encoded().hex() == "000000000000000100000002"
    with pytest.raises(ValueError, match="12 bytes, not 11"):
        Ticket.decode(bytes(11))


def test_a_ticket_that_never_was_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    spool.append([entry(1)])
    record = spool.next("oldest")
    assert record is not None
    for ticket in (Ticket(1, 0), Ticket(record.ticket.segment, 1), Ticket(record.ticket.segment, 0xFFFFFFFF)):
        assert not spool.release(ticket)
        spool.give_back(ticket)
    assert spool.release(record.ticket, Fate.REJECTED)
    spool.close()
    assert spool.next("oldest") is None
    assert not spool.release(record.ticket)
    with pytest.raises(SpoolError, match="is closed"):
        spool.append([entry(2)])
    spool.close()
