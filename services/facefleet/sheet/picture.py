"""Draws the contact sheet. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from facefleet.storage.faces import Camera

Image = NDArray[np.uint8]
"""Height x width x 3, blue-green-red."""
Colour = tuple[int, int, int]

TILE_WIDTH = 160
TILE_HEIGHT = 200
COLUMNS = 8
GAP = 16
MARGIN = 36
LINE_HEIGHT = 16
CAPTION_HEIGHT = 2 * LINE_HEIGHT + 6
HEADING_HEIGHT = 64
GROUP_HEIGHT = 48
ROW_HEIGHT = TILE_HEIGHT + CAPTION_HEIGHT + GAP

PAPER: Colour = (247, 248, 248)
MOUNT: Colour = (228, 230, 231)
INK: Colour = (44, 38, 36)
FAINT: Colour = (128, 120, 116)
RULE: Colour = (206, 209, 210)


@dataclass(frozen=True, slots=True)
class Style:
    """How text looks: height of its capitals in pixels, colour, and stroke in parts of the height."""

    size: int
    colour: Colour
    weight: float


TITLE = Style(20, INK, 0.13)
NAME = Style(13, INK, 0.14)
NOTE = Style(11, FAINT, 0.11)
LABEL = Style(9, INK, 0.12)
CAPTION = Style(9, FAINT, 0.11)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FINE = 4
"""Text is drawn so many times larger and scaled down, which smooths OpenCV's plotter font."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One face on the sheet: its encoded image, whose it is and when it was taken."""

    camera: Camera
    time: datetime
    image: bytes


def contact_sheet(tiles: Sequence[Tile], heading: str, notes: Sequence[tuple[Camera, str]] = ()) -> Image:
    """Return the sheet: a heading, then for each camera its name, note and faces, the newest first."""
    said = dict(notes)
    ordered = sorted(tiles, key=lambda tile: (tile.camera, -tile.time.timestamp()))
    groups = [(camera, list(group)) for camera, group in groupby(ordered, key=lambda tile: tile.camera)]
    rows = sum(-(-len(group) // COLUMNS) for _, group in groups)
    width = 2 * MARGIN + COLUMNS * TILE_WIDTH + (COLUMNS - 1) * GAP
    height = 2 * MARGIN + HEADING_HEIGHT + GROUP_HEIGHT * max(1, len(groups)) + ROW_HEIGHT * rows
    sheet = np.full((height, width, 3), PAPER, np.uint8)

    y = MARGIN
    write(sheet, heading, (MARGIN, y), TITLE)
    y += HEADING_HEIGHT
    if not groups:
        write(sheet, "no face stored yet", (MARGIN, y), NOTE)
    for camera, group in groups:
        sheet[y : y + 1, MARGIN : width - MARGIN] = RULE
        end = write(sheet, str(camera), (MARGIN, y + 16), NAME)
        write(sheet, said.get(camera, ""), (end + 14, y + 17), NOTE)
        y += GROUP_HEIGHT
        for index, tile in enumerate(group):
            row, column = divmod(index, COLUMNS)
            _mount(sheet, tile, MARGIN + column * (TILE_WIDTH + GAP), y + row * ROW_HEIGHT)
        y += ROW_HEIGHT * -(-len(group) // COLUMNS)
    return sheet


def fit(image: Image) -> Image:
    """Return a picture scaled to fit a tile, its shape kept, on a neutral mount: the tile's size."""
    height, width = image.shape[:2]
    scale = min(TILE_WIDTH / width, TILE_HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (TILE_WIDTH - size[0]) // 2, (TILE_HEIGHT - size[1]) // 2
    tile = np.full((TILE_HEIGHT, TILE_WIDTH, 3), MOUNT, np.uint8)
    tile[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=method)
    return tile


def write(sheet: Image, text: str, at: tuple[int, int], style: Style) -> int:
    """Write text with its top left corner `at` (x, y) as far as the sheet goes. Returns the x it ends at."""
    x, y = at
    text = text.encode("ascii", "replace").decode()
    scale = cv2.getFontScaleFromHeight(_FONT, style.size * _FINE)
    thickness = max(1, round(style.size * _FINE * style.weight))
    (wide, high), base = cv2.getTextSize(text, _FONT, scale, thickness)
    room_x, room_y = sheet.shape[1] - x, sheet.shape[0] - y
    fine_wide, fine_high = -(-(wide + _FINE) // _FINE) * _FINE, -(-(high + base + _FINE) // _FINE) * _FINE
    fine = np.zeros((fine_high, fine_wide), np.uint8)
    cv2.putText(fine, text, (0, high + 1), _FONT, scale, 255, thickness, cv2.LINE_AA)
    cover = cv2.resize(fine, (fine_wide // _FINE, fine_high // _FINE), interpolation=cv2.INTER_AREA)
    cover = cover[:room_y, :room_x]
    part = sheet[y : y + cover.shape[0], x : x + cover.shape[1]]
    share = cover[..., None].astype(np.float32) / 255
    part[:] = np.rint(part * (1 - share) + np.array(style.colour, np.float32) * share).astype(np.uint8)
    return x + wide // _FINE


def _mount(sheet: Image, tile: Tile, x: int, y: int) -> None:
    image = cv2.imdecode(np.frombuffer(tile.image, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        # An object that is no picture must be seen, not hidden.
        sheet[y : y + TILE_HEIGHT, x : x + TILE_WIDTH] = MOUNT
        write(sheet, "not a picture", (x + 28, y + TILE_HEIGHT // 2 - 5), CAPTION)
    else:
        sheet[y : y + TILE_HEIGHT, x : x + TILE_WIDTH] = fit(np.asarray(image, np.uint8))
    below = y + TILE_HEIGHT + 7
    write(sheet[:, : x + TILE_WIDTH], tile.camera.name, (x + 2, below), LABEL)
    write(sheet, f"{tile.time:%d %b  %H:%M:%S}", (x + 2, below + LINE_HEIGHT), CAPTION)
