"""What a spool cannot live with."""


class SpoolError(Exception):
    """The spool cannot go on, or not be opened; the message names the file and the remedy."""


class FutureFormatError(SpoolError):
    """The folder was written by a newer release; nothing in it was touched."""
