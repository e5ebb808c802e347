"""YuNet by OpenCV itself, where ONNX Runtime is not to be had."""

from pathlib import Path

import cv2

from facefleet.detector.finding.face import Face
from facefleet.detector.finding.model import NMS_IOU, TOP_K, ModelError
from facefleet.detector.finding.scaling import face_of, scaled
from facefleet.detector.sources.frame import Image


class YuNetOpenCV:
    """Finds faces in pictures of any size."""

    def __init__(self, model: Path, score_threshold: float, longer_side_px: int) -> None:
        """Load the model.

        Raises:
            ModelError: when the file is no YuNet.
        """
        self._longer_side_px = longer_side_px
        self._size = (longer_side_px, longer_side_px)
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", self._size, score_threshold, NMS_IOU, TOP_K)
        except cv2.error as error:
            raise ModelError(str(error.err)) from None

    def find(self, image: Image) -> list[Face]:
        """Return the faces of a picture, the surest first."""
        small = scaled(image, self._longer_side_px)
        if small is None:
            return []
        size = (small.image.shape[1], small.image.shape[0])
        if size != self._size:
            self._net.setInputSize(size)
            self._size = size
        _, rows = self._net.detect(small.image)
        # The stub knows no None, which OpenCV returns for "no face".
        found = [] if rows is None else rows.tolist()
        faces = (face_of(row, small, image) for row in found)
        return sorted((face for face in faces if face), key=lambda face: -face.score)
