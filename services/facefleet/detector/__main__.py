"""`python -m facefleet.detector`."""

from facefleet.detector.service import CONDITIONS, run
from facefleet.detector.settings import DetectorSettings
from facefleet.runtime.service import main

main("detector", DetectorSettings, CONDITIONS, run)
