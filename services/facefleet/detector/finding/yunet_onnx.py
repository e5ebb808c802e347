"""YuNet on ONNX Runtime: the same boxes as by OpenCV, in less than half of the time.

What its outputs mean: OpenCV 4.8, modules/objdetect/src/face_detect.cpp (Apache-2.0).
"""

import math
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facefleet.detector.finding.face import Face
from facefleet.detector.finding.model import NMS_IOU, TOP_K, ModelError
from facefleet.detector.finding.scaling import face_of, scaled
from facefleet.detector.sources.frame import Image

STRIDES = (8, 16, 32)
_KINDS = ("cls", "obj", "bbox", "kps")
_OUTPUTS = [f"{kind}_{stride}" for stride in STRIDES for kind in _KINDS]

_DIMENSION_640 = b"\x0a\x03\x08\x80\x05"
_DIMENSIONS_NAMED = (b"\x0a\x03\x12\x01h", b"\x0a\x03\x12\x01w")
"""The model says its input's height and width as numbers; as names, of the same length, they may be any."""


class YuNetOnnx:
    """Finds faces in pictures of any size."""

    def __init__(self, model: Path, score_threshold: float, longer_side_px: int) -> None:
        """Load the model.

        Raises:
            ModelError: when the file is no YuNet.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one core for each camera: threads would only wait for one another
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # it would warn at each size that is not the one in the file
        try:
            self._session = onnxruntime.InferenceSession(
                _of_any_size(model.read_bytes()), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - its exceptions have no common class of their own
            raise ModelError(str(error).splitlines()[0]) from None
        self._input = self._session.get_inputs()[0].name
        self._score_threshold = score_threshold
        self._longer_side_px = longer_side_px

    def find(self, image: Image) -> list[Face]:
        """Return the faces of a picture, the surest first."""
        small = scaled(image, self._longer_side_px)
        if small is None:
            return []
        padded = _padded(small.image)
        answers = self._session.run(_OUTPUTS, {self._input: cv2.dnn.blobFromImage(padded)})
        columns = padded.shape[1]
        rows = np.concatenate(
            [
                _rows(answers[4 * n : 4 * n + 4], stride, columns // stride, self._score_threshold)
                for n, stride in enumerate(STRIDES)
            ]
        )
        faces = (face_of(rows[n].tolist(), small, image) for n in _without_repeats(rows))
        return [face for face in faces if face]


def _of_any_size(model: bytes) -> bytes:
    if model.count(_DIMENSION_640) != len(_DIMENSIONS_NAMED):
        raise ValueError("its input is not 640 x 640")
    for name in _DIMENSIONS_NAMED:
        model = model.replace(_DIMENSION_640, name, 1)
    return model


def _padded(image: Image) -> cv2.typing.MatLike:
    high, wide = image.shape[:2]
    coarsest = STRIDES[-1]
    return cv2.copyMakeBorder(image, 0, -high % coarsest, 0, -wide % coarsest, cv2.BORDER_CONSTANT)


def _rows(
    answers: list[NDArray[np.float32]], stride: int, columns: int, threshold: float
) -> NDArray[np.float32]:
    """Return n x 15: x, y, width, height, five points, score, of the cells that are sure enough."""
    sure, there, boxes, points = (answer[0] for answer in answers)
    scores = np.sqrt(np.clip(sure[:, 0], 0, 1) * np.clip(there[:, 0], 0, 1))
    cells = np.flatnonzero(scores >= threshold)
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    centre = (corner + boxes[cells, :2]) * stride
    size = np.exp(np.minimum(boxes[cells, 2:], math.log(1e4))) * stride
    landmarks = (np.tile(corner, 5) + points[cells]) * stride
    return np.concatenate([centre - size / 2, size, landmarks, scores[cells, None]], axis=1)


def _without_repeats(rows: NDArray[np.float32]) -> list[int]:
    if not len(rows):
        return []
    kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), 0.0, NMS_IOU, top_k=TOP_K)
    return [int(n) for n in np.asarray(kept).flatten()]
