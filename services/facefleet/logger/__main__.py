"""`python -m facefleet.logger`."""

from facefleet.logger.service import CONDITIONS, LoggerSettings, run
from facefleet.runtime.service import main

main("logger", LoggerSettings, CONDITIONS, run)
