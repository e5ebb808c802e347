"""What both ways to run YuNet share."""

NMS_IOU = 0.3
"""Of two boxes that overlap more, the less sure one is dropped."""
TOP_K = 500


class ModelError(Exception):
    """The file is no model that can be run; the text says why."""
