"""`python -m tests.bench.detector.measured WAY CLIP`: one way on one clip, in its own process on one core."""

import argparse
import json
import os
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from facefleet.detector.crop import encoded
from facefleet.detector.finding.choose import choose_finder
from facefleet.detector.pipeline import Pipeline, Sent
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.playback import FileSource
from facefleet.detector.sources.source import paced
from pydantic import AnyUrl

from tests.bench.detector.naive import Naive
from tests.bench.measure import resident_most_mb
from tests.demo_files import MODEL

WAYS = ("decoding", "naive", "ours")


class Cost(NamedTuple):
    """Of one way on one clip. The naive way may look at a sample of the frames: its counts are scaled up."""

    frames: int
    cpu_ms: float
    """A frame, decoding included."""
    messages: float
    bytes: float
    memory_mb: float
    shots: list[tuple[float, int, tuple[int, int, int, int]]]
    """Ours only: seconds of the picture, track, box."""


def settings_for(clip: Path) -> DetectorSettings:
    """Return the settings that a camera has if nobody says any."""
    return DetectorSettings(
        broker=AnyUrl("mqtt://nowhere"),
        device="bench",
        camera="clip",
        source=str(clip),
        pace="fast",
        model=str(MODEL),
    )


def decoding(clip: Path) -> Cost:
    capture = cv2.VideoCapture(str(clip))
    frames = 0
    begun = time.process_time()
    while capture.grab():
        frames += 1
    return Cost(frames, _ms(begun, frames), 0, 0, resident_most_mb(os.getpid()), [])


def naive(clip: Path, sample: int) -> Cost:
    """Look at one frame in `sample`, all decoded: what a frame costs is its decoding and one search."""
    capture, way = cv2.VideoCapture(str(clip)), Naive()
    frames = looked = messages = size = 0
    decode_s = search_s = 0.0
    while True:
        begun = time.process_time()
        if not capture.grab():
            break
        decode_s += time.process_time() - begun
        if frames % sample == 0:
            begun = time.process_time()
            found = [len(payload) for payload in way.messages(np.asarray(capture.retrieve()[1], np.uint8))]
            search_s += time.process_time() - begun
            looked, messages, size = looked + 1, messages + len(found), size + sum(found)
        frames += 1
    scale = frames / looked
    cpu_ms = (decode_s / frames + search_s / looked) * 1000
    return Cost(frames, cpu_ms, messages * scale, size * scale, resident_most_mb(os.getpid()), [])


def ours(clip: Path) -> Cost:
    settings = settings_for(clip)
    pipeline = Pipeline(settings, choose_finder(settings))
    source = FileSource(clip, threading.Event(), loop=False, fast=True)
    shots: list[Sent] = []
    sizes: list[int] = []
    began = None
    begun = time.process_time()
    with closing(source):
        for frame in paced(source, settings.detect_fps):
            began = began or frame.time
            chosen = pipeline.look(frame).shots
            sizes += [_size(sent, settings) for sent in chosen]
            shots += chosen
    last = pipeline.finish()
    sizes += [_size(sent, settings) for sent in last]
    cpu_ms = _ms(begun, source.frames)
    seen = [
        ((sent.shot.picture.time - began).total_seconds(), sent.track, _sides(sent))
        for sent in [*shots, *last]
        if began
    ]
    return Cost(source.frames, cpu_ms, len(sizes), sum(sizes), resident_most_mb(os.getpid()), seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--sample", type=int, default=1)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    ways = {"decoding": decoding, "naive": lambda clip: naive(clip, options.sample), "ours": ours}
    json.dump(ways[options.way](options.clip)._asdict(), sys.stdout)


def _size(sent: Sent, settings: DetectorSettings) -> int:
    return len(encoded(sent.shot.picture.crop, settings.image_format, settings.image_quality))


def _sides(sent: Sent) -> tuple[int, int, int, int]:
    box = sent.shot.picture.face.box
    return (box.x, box.y, box.width, box.height)


def _ms(begun: float, frames: int) -> float:
    return (time.process_time() - begun) / max(1, frames) * 1000


if __name__ == "__main__":
    main()
