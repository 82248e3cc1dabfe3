"""Counts what becomes of the rows of a source."""

from dataclasses import dataclass


@dataclass
class Counts:
    """What became of the rows of a source: read = used + quarantined + filtered + unanswered + merged."""

    read: int = 0
    used: int = 0
    quarantined: int = 0
    filtered: int = 0
    """Records that `where` leaves out."""
    unanswered: int = 0
    """Records without a value to predict."""
    merged: int = 0
    """Records that are equal to an earlier one, and that `drop_duplicates` leaves out."""

    @property
    def accounted(self) -> bool:
        """Whether every row is in exactly one of the counts."""
        return self.read == self.used + self.quarantined + self.filtered + self.unanswered + self.merged
