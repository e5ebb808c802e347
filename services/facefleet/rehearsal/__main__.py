"""`facefleet-detect`: what a camera with these settings would send; on any video, picture or camera."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import CameraGoneError, Image
from facefleet.detector.sources.source import check_source
from facefleet.rehearsal.drawing import drawn, sheet_of
from facefleet.rehearsal.explaining import Explainer, sent_line
from facefleet.rehearsal.run import Moment, Tally, rehearse
from facefleet.runtime import logs
from facefleet.runtime.service import ServiceError
from facefleet.runtime.settings import PREFIX, SettingsError, load

VIDEOS = {".mp4", ".avi", ".mkv"}
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
MODEL = Path(__file__).resolve().parents[3] / ".demo/model/face_detection_yunet_2023mar.onnx"
TELL_EVERY_S = 5.0


def main() -> None:
    """Read the options, play the source, draw and tell; ends the process, 1 after a failure."""
    options = _options()
    logs.configure("detect", level="warning")
    try:
        settings = load(DetectorSettings, _environment(options))
        check_source(settings)
        tally = _play(settings, options)
    except SettingsError as error:
        sys.exit("\n".join(error.problems).replace(PREFIX, "--set "))
    except (CameraGoneError, ServiceError) as error:
        sys.exit(f"{options.source}: {error}")
    _tell(tally)


def _play(settings: DetectorSettings, options: argparse.Namespace) -> Tally:
    tally = Tally()
    films = [_Film(file, settings) for file in options.out if file.suffix.lower() in VIDEOS]
    teller = _Explaining() if options.explain else _Progress(tally)
    for moment in rehearse(settings, tally, options.seconds):
        for film in films:
            film.add(moment)
        teller.tell(moment)
    teller.end(tally)
    for film in films:
        film.close()
    heading = f"{Path(settings.source_shown).name}: {tally.tracks} faces, {len(tally.shots)} shots"
    for file in options.out:
        if file.suffix.lower() in PICTURES:
            _write(file, sheet_of(tally.shots, heading))
    return tally


class _Progress:
    """Shows that it goes on."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._told = time.monotonic()

    def tell(self, _: Moment) -> None:
        if time.monotonic() - self._told >= TELL_EVERY_S:
            self._told = time.monotonic()
            print(f"{self._tally.seconds:.0f} s seen, {self._tally.tracks} faces so far", file=sys.stderr)

    def end(self, _: Tally) -> None:
        pass


class _Explaining:
    """Prints why each shot is sent, and why others are not."""

    def __init__(self) -> None:
        self._explainer = Explainer()

    def tell(self, moment: Moment) -> None:
        for line in self._explainer.lines(moment.frame.at, moment.look):
            print(line)

    def end(self, tally: Tally) -> None:
        for at, sent in tally.last:
            print(sent_line(at, sent))


class _Film:
    """Writes the frames that were looked at, with what was seen drawn into them."""

    def __init__(self, file: Path, settings: DetectorSettings) -> None:
        self._file = file
        self._settings = settings
        self._writer: cv2.VideoWriter | None = None

    def add(self, moment: Moment) -> None:
        image = drawn(moment.frame.picture.full(), moment.look, self._settings)
        if self._writer is None:
            kind = "MJPG" if self._file.suffix.lower() == ".avi" else "mp4v"
            size = (image.shape[1], image.shape[0])
            self._writer = cv2.VideoWriter(
                str(self._file), cv2.VideoWriter.fourcc(*kind), self._settings.detect_fps, size
            )
            if not self._writer.isOpened():
                sys.exit(f"--out {self._file} cannot be written: see that its folder is there and yours")
        self._writer.write(image)

    def close(self) -> None:
        if self._writer:
            self._writer.release()


def _write(file: Path, image: Image) -> None:
    ok, data = cv2.imencode(file.suffix.lower(), image)
    try:
        file.write_bytes(data.tobytes() if ok else b"")
    except OSError as error:
        sys.exit(f"--out {file} cannot be written: {error.strerror}")


def _tell(tally: Tally) -> None:
    still = tally.looked - tally.searched
    cpu_ms = tally.cpu_s / max(1, tally.looked) * 1000
    print(f"looked at   {tally.looked} frames of {tally.seconds:.1f} s, {cpu_ms:.1f} ms of CPU each")
    print(f"searched    {tally.searched}; in {still} nothing had moved")
    print(f"found       {tally.faces} times a face")
    print(f"would send  {len(tally.shots)} shots of {tally.tracks} faces")


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the settings as the service would have them; what a broker needs is of no use here."""
    given = {
        "broker": "mqtt://nowhere",
        "device": "rehearsal",
        "camera": "camera",
        "source": options.source,
        "model": str(options.model),
        **(
            {"pace": "fast"} if "://" not in options.source and not options.source.startswith("/dev/") else {}
        ),
        **dict(options.set),
    }
    return {PREFIX + name.upper(): value for name, value in given.items()}


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip().lower(), value.strip()


def _output(text: str) -> Path:
    file = Path(text)
    if file.suffix.lower() not in VIDEOS | PICTURES:
        raise argparse.ArgumentTypeError(f"{text!r} ends in none of {', '.join(sorted(VIDEOS | PICTURES))}")
    return file


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="facefleet-detect", description=__doc__)
    parser.add_argument("source", help="a video, a folder of pictures, /dev/video<n> or an rtsp:// URL")
    parser.add_argument(
        "--out",
        type=_output,
        action="append",
        default=[],
        help="a video (.mp4) with all that was seen drawn into it, or a picture (.png) of the shots",
    )
    parser.add_argument(
        "--explain", action="store_true", help="say why each shot is sent, and why others are not"
    )
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the camera, as in host_vars; may be repeated",
    )
    parser.add_argument("--seconds", type=float, default=0.0, help="end after so many of the source")
    parser.add_argument("--model", type=Path, default=MODEL, help="the YuNet model (make fetches it)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
