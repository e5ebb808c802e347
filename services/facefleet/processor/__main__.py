"""`python -m facefleet.processor`."""

from facefleet.processor.service import CONDITIONS, run
from facefleet.processor.settings import ProcessorSettings
from facefleet.runtime.service import main

main("processor", ProcessorSettings, CONDITIONS, run)
