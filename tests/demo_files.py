"""Where `make unit` puts the real videos and the real model."""

from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[1] / ".demo"
CLIP = DEMO / "clips/WolfgangLanger_Pexels.mp4"
AXE = DEMO / "axe/axe.min.js"
MODEL = DEMO / "model/face_detection_yunet_2023mar.onnx"


def present(file: Path) -> Path:
    if not file.is_file():
        pytest.skip(f"{file} is missing: make unit gets it")
    return file
