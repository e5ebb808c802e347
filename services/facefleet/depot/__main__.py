"""`python -m facefleet.depot`: the service, or with a word after it what the control host does there."""

import sys

from facefleet.depot import cli
from facefleet.depot.service import CONDITIONS, run
from facefleet.depot.settings import DepotSettings
from facefleet.runtime.service import main

if sys.argv[1:] and not sys.argv[1].startswith("-"):
    cli.main(sys.argv[1:])
else:
    main("depot", DepotSettings, CONDITIONS, run)
