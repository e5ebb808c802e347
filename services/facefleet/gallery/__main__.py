"""`python -m facefleet.gallery`."""

from facefleet.gallery.service import CONDITIONS, run
from facefleet.gallery.settings import GallerySettings
from facefleet.runtime.service import main

main("gallery", GallerySettings, CONDITIONS, run)
