"""`python -m facefleet.forwarder`."""

from facefleet.forwarder.service import CONDITIONS, run
from facefleet.forwarder.settings import ForwarderSettings
from facefleet.runtime.service import main

main("forwarder", ForwarderSettings, CONDITIONS, run)
