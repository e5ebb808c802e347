"""`python -m facefleet.watch`."""

from facefleet.runtime.service import main
from facefleet.watch.service import CONDITIONS, run
from facefleet.watch.settings import WatchSettings

main("watch", WatchSettings, CONDITIONS, run)
