"""How far it is: a line that is written over on a terminal, a line every tenth elsewhere."""

import time
from typing import TextIO


class Progress:
    """Tells of bytes done; call it with the part's name and how many bytes are done."""

    def __init__(self, verb: str, total: int, to: TextIO) -> None:
        self._verb = verb
        self._total = total
        self._to = to
        self._began = time.monotonic()
        self._said = -1

    def __call__(self, name: str, done: int) -> None:
        """Say it, unless that was just said."""
        percent = 100 * done // self._total if self._total else 100
        step = percent if self._to.isatty() else percent // 10 * 10
        if step == self._said:
            return
        self._said = step
        seconds = time.monotonic() - self._began
        rate = done / 1e6 / seconds if seconds else 0
        line = (
            f"{self._verb} {percent:3} %  {done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB  {rate:,.0f} MB/s"
        )
        if self._to.isatty():
            self._to.write(f"\r\033[K{line}  {name[-60:]}" + ("\n" if done == self._total else ""))
        else:
            self._to.write(line + "\n")
        self._to.flush()
