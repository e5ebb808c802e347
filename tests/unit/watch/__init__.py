"""The watch's parts."""
