"""The contact sheet: whatever it shows can still be recognised."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from facefleet.detector.finding.face import FaceFinder
from facefleet.sheet.picture import (
    CAPTION,
    COLUMNS,
    GAP,
    MARGIN,
    MOUNT,
    PAPER,
    TILE_HEIGHT,
    TILE_WIDTH,
    Image,
    Tile,
    contact_sheet,
    fit,
    write,
)
from facefleet.storage.faces import Camera

DOOR = Camera("jetson-01", "door")
YARD = Camera("jetson-01", "yard")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def png(image: Image) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def tiles(images: list[bytes], camera: Camera = DOOR) -> list[Tile]:
    return [Tile(camera, NOON + timedelta(seconds=index), image) for index, image in enumerate(images)]


def test_every_face_is_found_again_at_tile_size(crops: list[bytes], yunet: FaceFinder) -> None:
    assert len(crops) >= 15
    for crop in crops:
        image = np.asarray(cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        assert len(yunet.find(fit(image))) == 1


def test_every_face_is_found_again_on_the_sheet(crops: list[bytes], yunet: FaceFinder) -> None:
    sheet = contact_sheet(tiles(crops[:10]) + tiles(crops[10:], YARD), "15 faces")
    step = TILE_WIDTH + GAP
    found = sum(
        len(yunet.find(np.ascontiguousarray(sheet[:, left : left + TILE_WIDTH])))
        for left in range(MARGIN, MARGIN + COLUMNS * step, step)
    )
    assert found == len(crops)


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (20, 10), (1, 400), (400, 1), (3000, 2000)])
def test_a_tile_keeps_the_shape_of_its_picture(shape: tuple[int, int]) -> None:
    tile = fit(np.zeros((*shape, 3), np.uint8))
    assert tile.shape == (TILE_HEIGHT, TILE_WIDTH, 3)
    rows, columns = np.nonzero((tile == 0).all(axis=2))
    height, width = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
    assert width == TILE_WIDTH or height == TILE_HEIGHT
    if min(shape) > 10:
        assert height / width == pytest.approx(shape[0] / shape[1], rel=0.02)
    assert (tile[(tile != 0).any(axis=2)] == MOUNT).all()


def test_cameras_have_groups_and_each_group_rows() -> None:
    black = png(np.zeros((TILE_HEIGHT, TILE_WIDTH, 3), np.uint8))
    one = contact_sheet(tiles([black] * COLUMNS), "")
    two_rows = contact_sheet(tiles([black] * (COLUMNS + 1)), "")
    two_groups = contact_sheet(tiles([black] * COLUMNS) + tiles([black], YARD), "")
    assert one.shape[1] == two_rows.shape[1] == two_groups.shape[1]
    assert one.shape[0] < two_rows.shape[0] < two_groups.shape[0]


def test_the_newest_is_first() -> None:
    shades = [png(np.full((TILE_HEIGHT, TILE_WIDTH, 3), shade, np.uint8)) for shade in (10, 60, 110)]
    sheet = contact_sheet(tiles(shades), "")
    middle = MARGIN + TILE_WIDTH // 2 + np.arange(3) * (TILE_WIDTH + GAP)
    row = next(line for line in sheet if line[middle[2], 0] == 10)
    assert [int(row[x, 0]) for x in middle] == [110, 60, 10]


def test_an_object_that_is_no_picture_is_shown_as_such() -> None:
    sheet = contact_sheet(tiles([b"no picture"]), "1 face")
    assert (sheet == MOUNT).all(axis=2).sum() > TILE_WIDTH * TILE_HEIGHT * 0.8


def test_no_face_gives_a_sheet_all_the_same() -> None:
    sheet = contact_sheet([], "0 faces")
    assert (sheet != PAPER).any()


def test_text_that_does_not_fit_is_cut_and_odd_letters_do_no_harm() -> None:
    sheet = np.full((30, 60, 3), PAPER, np.uint8)
    write(sheet, "a very long name of a camera, Tür", (20, 20), CAPTION)
    assert (sheet != PAPER).any()
    assert sheet.shape == (30, 60, 3)
