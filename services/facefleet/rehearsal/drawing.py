"""Draws what the detector saw and chose. Pure."""

from collections.abc import Sequence

import cv2
import numpy as np

from facefleet.detector.finding.face import Face
from facefleet.detector.pipeline import Look, Sent
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import Image
from facefleet.messaging.event import Box
from facefleet.sheet.picture import CAPTION, LABEL, MARGIN, PAPER, TILE_HEIGHT, TILE_WIDTH, TITLE, fit, write

FOUND = (160, 160, 160)
FOLLOWED = (80, 200, 60)
SENT = (0, 200, 255)
IGNORED = (60, 60, 200)
_GAP = 16
_COLUMNS = 6
_CAPTION = 44
_HEADING = 64
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def drawn(image: Image, look: Look, settings: DetectorSettings) -> Image:
    """Return a copy with what was found (grey), followed (green), sent (amber) and is ignored (red)."""
    canvas = image.copy()
    high, wide = canvas.shape[:2]
    for area in settings.ignore:
        corner = (round(area.x * wide), round(area.y * high))
        cv2.rectangle(canvas, corner, _across(corner, area.width * wide, area.height * high), IGNORED, 2)
    for face in look.faces:
        _frame(canvas, face.box, FOUND, f"{face.score:.2f}")
    for followed in look.followed:
        name = f"#{followed.number}" if followed.number else "new"
        _frame(canvas, followed.track.face.box, FOLLOWED, f"{name} q {followed.quality:.2f}")
        _points(canvas, followed.track.face)
    for sent in look.shots:
        _frame(canvas, sent.shot.picture.face.box, SENT, f"#{sent.track} shot {sent.shot.number}", thick=4)
    cv2.putText(
        canvas, f"searched: {look.searched or 'no'}", (10, high - 12), _FONT, 0.5, FOUND, 1, cv2.LINE_AA
    )
    return canvas


def sheet_of(shots: Sequence[tuple[float, Sent]], heading: str) -> Image:
    """Return the contact sheet of all shots, track by track, each with its number, time and quality."""
    ordered = sorted(shots, key=lambda each: (each[1].track, each[1].shot.number))
    rows = -(-max(1, len(ordered)) // _COLUMNS)
    width = 2 * MARGIN + _COLUMNS * TILE_WIDTH + (_COLUMNS - 1) * _GAP
    row_height = TILE_HEIGHT + _CAPTION + _GAP
    sheet = np.full((2 * MARGIN + _HEADING + rows * row_height, width, 3), PAPER, np.uint8)
    write(sheet, heading, (MARGIN, MARGIN), TITLE)
    for index, (at, sent) in enumerate(ordered):
        row, column = divmod(index, _COLUMNS)
        x, y = MARGIN + column * (TILE_WIDTH + _GAP), MARGIN + _HEADING + row * row_height
        sheet[y : y + TILE_HEIGHT, x : x + TILE_WIDTH] = fit(sent.shot.picture.crop)
        last = ", last" if sent.shot.last else ""
        write(sheet, f"track {sent.track}  shot {sent.shot.number}{last}", (x, y + TILE_HEIGHT + 7), LABEL)
        write(sheet, f"{at:.1f} s  quality {sent.shot.quality:.2f}", (x, y + TILE_HEIGHT + 23), CAPTION)
    return sheet


def _frame(canvas: Image, box: Box, colour: tuple[int, int, int], text: str, thick: int = 2) -> None:
    corner = (box.x, box.y)
    cv2.rectangle(canvas, corner, _across(corner, box.width, box.height), colour, thick)
    cv2.putText(canvas, text, (box.x, max(14, box.y - 6)), _FONT, 0.5, colour, 1, cv2.LINE_AA)


def _points(canvas: Image, face: Face) -> None:
    for x, y in face.landmarks or ():
        cv2.circle(canvas, (round(x), round(y)), 2, FOLLOWED, -1)


def _across(corner: tuple[int, int], width: float, height: float) -> tuple[int, int]:
    return corner[0] + round(width), corner[1] + round(height)
