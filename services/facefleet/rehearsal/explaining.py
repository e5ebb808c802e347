"""Says in words what was decided. Pure."""

from collections.abc import Iterator

from facefleet.detector.pipeline import Look, Sent


class Explainer:
    """Says each thing once: that a face still waits is told when the reason changes."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}

    def lines(self, at: float, look: Look) -> Iterator[str]:
        """Yield the lines of one frame; `at` in seconds of the source."""
        for sent in look.shots:
            yield sent_line(at, sent)
        for followed in look.followed:
            reason = followed.silence
            who = id(followed.track)
            if reason and self._said.get(who) != reason:
                self._said[who] = reason
                name = f"track {followed.number}" if followed.number else "a new face"
                yield f"{at:7.1f} s  {name} (quality {followed.quality:.2f}) not sent: {reason}"


def sent_line(at: float, sent: Sent) -> str:
    """Return the line of one shot."""
    shot = sent.shot
    return (
        f"{at:7.1f} s  track {sent.track} shot {shot.number} (quality {shot.quality:.2f}) sent: {shot.reason}"
    )
