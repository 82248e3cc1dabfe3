"""How fast a training goes, and how long it will take."""

import time
from collections.abc import Mapping
from typing import Any

LINE_SECONDS = 5.0
"""Where there is no terminal for a progress bar, a line is logged at most this often."""


class Pace:
    """Pairs that were learned from since the start, and what that says of the rest."""

    def __init__(self, steps: int) -> None:
        self.steps, self.steps_done, self.pairs, self.start = steps, 0, 0, time.monotonic()
        self._told = self.start

    def count(self, batch: Mapping[str, Any], processes: int = 1) -> None:
        """One more step is done, in so many processes on about as many pairs each."""
        self.steps_done += 1
        self.pairs += len(batch["inputs"].tokens) * processes

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.start

    @property
    def pairs_per_second(self) -> str:
        """As people read it."""
        return f"{self.pairs / max(self.seconds, 1e-9):,.0f} pairs/s"

    @property
    def left(self) -> str:
        """Minutes and seconds until the last step, if all of them are as the ones before."""
        minutes, seconds = divmod(round(self.seconds * (self.steps / max(self.steps_done, 1) - 1)), 60)
        return f"{minutes} min {seconds:02d} s left" if minutes else f"{seconds} s left"

    def is_due(self) -> bool:
        """Whether it is time for another line: the longer it takes, the rarer they are."""
        if time.monotonic() - self._told < max(LINE_SECONDS, self.seconds / 10):
            return False
        self._told = time.monotonic()
        return True
