"""Lines of many services in the order of time, within a bound."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.roles.plugins import plugin

timeline = plugin("logs/module_utils/logs_timeline.py")


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.text("xyz", max_size=9))),
    st.integers(0, 900),
)
def test_the_newest_lines_that_fit_are_kept_in_order(
    given_lines: list[tuple[str, int, str]], bound: int
) -> None:
    kept = timeline.Timeline(bound)
    written = []
    for source, second, text in given_lines:
        stamp, rest = timeline.stamped(f"2026-11-25T17:00:{second:02d}.5Z {text}")
        kept.add(source, stamp, rest)
        written.append(f"2026-11-25T17:00:{second:02d}.500000000Z {source} | {text}")
    written.sort(key=lambda line: line[:30])
    lines = kept.lines()
    assert lines == written[len(written) - len(lines) :]
    assert sum(len(line) + 1 for line in lines) <= bound
    assert kept.cut_lines == len(written) - len(lines)


def test_a_line_without_a_time_stays_with_the_one_before() -> None:
    kept = timeline.Timeline(10_000)
    for source, line in [
        ("a", "2026-11-25T17:00:02Z later"),
        ("b", "2026-11-25T17:00:01Z first"),
        ("b", "  its rest"),
    ]:
        kept.add(source, *timeline.stamped(line))
    assert [line.split(" | ")[1] for line in kept.lines()] == ["first", "  its rest", "later"]


def test_colours_and_endless_lines_are_cut() -> None:
    kept = timeline.Timeline(100_000)
    kept.add("a", "", timeline.plain("\x1b[2K\x1b[31mred\x1b[0m\r" + "x" * 20_000))
    (line,) = kept.lines()
    assert line.startswith(" a | redxxx")
    assert line.endswith(" more characters")
    assert len(line) < 9_000
