"""How the way to the cloud stands, and since when."""

from facefleet.runtime.moment import Moment

CONNECTED = "connected"
NOT_YET = "not connected yet"


class Way:
    """`connected`, or what is wrong and the remedy. Its moment is that of its last turn to good or bad."""

    def __init__(self) -> None:
        """It begins without a connection."""
        self.standing = NOT_YET
        self.since = Moment.now()

    def turn(self, standing: str) -> None:
        """Take how it stands now: another reason for the same outage does not begin a new one."""
        if (standing == CONNECTED) is not (self.standing == CONNECTED):
            self.since = Moment.now()
        self.standing = standing
