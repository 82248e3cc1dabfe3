"""What is trained: a candidate for a fit. How it is trained, and against which others it competes, is elsewhere."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.training import Schedule
from pipeline.embedding import Problem


@dataclass(frozen=True)
class Candidate:
    """What is trained."""

    problem: Problem
    """What to learn, from which examples, and who is told about it."""
    settings: Schedule
    """The training settings, resolved."""
    learner: str
    """Full name of the module whose class Lightning trains."""
    network: str
    """Full name of the network's module, with which the fit scores."""
    option: Mapping[str, Any]
    """Those of the settings' choices that are tried."""
    epochs: int
    """The most epochs to run; 0: the start is all, and nothing is trained."""
    folder: Path
    """Of the checkpoints, if there is no store that all machines share."""

    @property
    def batch_size(self) -> int:
        """Examples in the part of a batch that each process gets: together they take one batch."""
        assert self.settings.batch_size is not None
        return math.ceil(self.settings.batch_size / self.settings.processes)

    @property
    def steps(self) -> int:
        """Number of steps until the learning rate is 0, however many epochs are run."""
        if not self.epochs:
            return 0
        of_a_process = math.ceil(len(self.problem.training) / self.settings.processes)
        epochs: int = self.option.get("max_epochs", self.settings.max_epochs)
        return math.ceil(of_a_process / self.batch_size) * epochs
