"""Areas of the picture, as an operator writes them."""

import pytest
from facefleet.detector.areas import Area, areas_of
from hypothesis import given
from hypothesis import strategies as st

hundredths = st.integers(0, 100)


def test_areas_are_read_in_their_order() -> None:
    assert areas_of("0,0,0.5,1; 0.25,0.5,0.1,0.1") == (Area(0, 0, 0.5, 1), Area(0.25, 0.5, 0.1, 0.1))


@pytest.mark.parametrize("text", ["", " ", ";", " ; "])
def test_nothing_is_no_area(text: str) -> None:
    assert areas_of(text) == ()


@pytest.mark.parametrize("text", ["1", "0,0,1", "0,0,1,1,1", "a,b,c,d", "0,0,1,1;0,0", "0 0 1 1"])
def test_what_is_not_four_numbers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not x,y,width,height"):
        areas_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "-0.1,0,0.5,0.5",
        "0,-0.1,0.5,0.5",
        "0,0,0,0.5",
        "0,0,0.5,0",
        "0.6,0,0.5,1",
        "0,0.6,1,0.5",
        "0,0,1920,1080",
        "nan,0,0.5,0.5",
        "0,nan,0.5,0.5",
        "0,0,nan,0.5",
        "0,0,0.5,inf",
    ],
)
def test_what_is_no_part_of_the_picture_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is no part of the picture"):
        areas_of(f"0,0,1,1;{text}")


@given(hundredths, hundredths)
def test_an_area_may_reach_the_edge(left: int, top: int) -> None:
    text = f"{left / 100},{top / 100},{(100 - left) / 100},{(100 - top) / 100}"
    if max(left, top) == 100:
        with pytest.raises(ValueError, match="no part"):
            areas_of(text)
    else:
        (area,) = areas_of(text)
        assert area.holds(left / 100, top / 100)


def test_a_point_lies_in_it_or_not() -> None:
    area = Area(0.25, 0.5, 0.25, 0.25)
    assert [area.holds(x, 0.6) for x in (0.2, 0.25, 0.4, 0.5, 0.6)] == [False, True, True, True, False]
    assert [area.holds(0.3, y) for y in (0.4, 0.5, 0.75, 0.8)] == [False, True, True, False]
