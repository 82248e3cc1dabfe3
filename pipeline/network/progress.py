"""How fast a training goes, and how long it will take."""

import time
from collections.abc import Mapping
from typing import Any

LINE_SECONDS = 5.0
"""Least seconds between two lines of progress, where there is no terminal for a progress bar."""


class Pace:
    """Counts steps and pairs since the start, and estimates the time left."""

    def __init__(self, steps: int) -> None:
        self.steps, self.steps_done, self.pairs, self.start = steps, 0, 0, time.monotonic()
        self._told = self.start

    def count(self, batch: Mapping[str, Any], processes: int = 1) -> None:
        """Count one more step, done by several processes on about as many pairs each."""
        self.steps_done += 1
        self.pairs += len(batch["inputs"].tokens) * processes

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def pairs_per_second(self) -> str:
        """Pairs per second since the start, as text."""
        return f"{self.pairs / max(self.seconds, 1e-9):,.0f} pairs/s"

    @property
    def left(self) -> str:
        """Minutes and seconds until the last step, if the remaining steps take as long as those before."""
        return f"{_in_words(self._seconds_left)} left"

    def left_in_all(self, end: float) -> str:
        """Minutes and seconds until a time at which everything is expected to be done, or until the last step."""
        return f"{_in_words(max(end - time.monotonic(), self._seconds_left))} left in all"

    @property
    def _seconds_left(self) -> float:
        return self.seconds * (self.steps / max(self.steps_done, 1) - 1)

    def is_due(self) -> bool:
        """Whether another line is due: the longer the training has run, the rarer the lines."""
        if time.monotonic() - self._told < max(LINE_SECONDS, self.seconds / 10):
            return False
        self._told = time.monotonic()
        return True


def _in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
