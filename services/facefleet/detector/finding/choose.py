"""Which finder a camera has, and what of its finds counts."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from facefleet.detector.areas import Area
from facefleet.detector.finding.face import Face, FaceFinder
from facefleet.detector.finding.haar import Haar
from facefleet.detector.finding.model import ModelError
from facefleet.detector.finding.yunet_opencv import YuNetOpenCV
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import Image
from facefleet.runtime import logs
from facefleet.runtime.service import ServiceError

_log = logs.get("detector")


class Wanted:
    """Leaves out faces that are too small, and those in areas to ignore."""

    def __init__(self, finder: FaceFinder, min_face_px: int, ignored: Sequence[Area]) -> None:
        self._finder = finder
        self._min_face_px = min_face_px
        self._ignored = ignored

    def find(self, image: Image) -> list[Face]:
        """Return the faces that count, the surest first."""
        return [face for face in self._finder.find(image) if self._counts(face, image)]

    def _counts(self, face: Face, image: Image) -> bool:
        if min(face.box.width, face.box.height) < self._min_face_px:
            return False
        height, width = image.shape[:2]
        x, y = (face.box.x + face.box.width / 2) / width, (face.box.y + face.box.height / 2) / height
        return not any(area.holds(x, y) for area in self._ignored)


def choose_finder(settings: DetectorSettings) -> FaceFinder:
    """Return the finder that the settings name.

    Raises:
        ServiceError: when its model is missing or damaged.
    """
    return Wanted(_bare(settings), settings.min_face_px, settings.ignore)


def _bare(settings: DetectorSettings) -> FaceFinder:
    try:
        if settings.finder == "haar":
            return Haar(settings.min_face_px)
        return _yunet(settings)
    except ModelError as error:
        raise ServiceError(
            f"FACEFLEET_FINDER={settings.finder} with FACEFLEET_MODEL={settings.model!r} cannot run "
            f"({error}): it belongs to the detector's image; fetch it again"
        ) from None


def _yunet(settings: DetectorSettings) -> FaceFinder:
    model = Path(settings.model)
    if not model.is_file():
        raise ServiceError(
            f"FACEFLEET_MODEL={str(model)!r} is no file: it belongs to the detector's image; "
            "correct the path, or set FACEFLEET_FINDER=haar"
        )
    threshold = min(settings.score_threshold, settings.follow_threshold)
    if settings.finder == "yunet":
        if importlib.util.find_spec("onnxruntime"):
            from facefleet.detector.finding.yunet_onnx import YuNetOnnx  # noqa: PLC0415 - may be missing

            return YuNetOnnx(model, threshold, settings.input_px)
        _log.warning("onnxruntime is not installed: OpenCV runs the model, at more than twice the cost")
    return YuNetOpenCV(model, threshold, settings.input_px)
