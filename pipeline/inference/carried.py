"""What finds the best tokens, as it is carried to other machines: with the bytes of its index instead of a file."""

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.embedding import Fitted
from pipeline.inference.best_tokens import BestTokens


@dataclass(frozen=True)
class Carried:
    """A `BestTokens` without files."""

    fitted: Fitted
    index: npt.NDArray[np.uint8] | None
    """The file of its index."""

    @classmethod
    def of(cls, best: BestTokens) -> Self:
        """A copy of what it answers with, the bytes of its index among it."""
        return cls(best.fitted, None if best.index_file is None else np.fromfile(best.index_file, np.uint8))

    @cached_property
    def best(self) -> BestTokens:
        """The `BestTokens` again, with a file of its own on this machine."""
        if self.index is None:
            return BestTokens(self.fitted, len(self.fitted.embedding.vocabulary))
        folder = tempfile.TemporaryDirectory(prefix="index-")
        self.__dict__["_folder"] = folder  # it lives as long as this
        path = Path(folder.name) / "index"
        self.index.tofile(path)
        return BestTokens(self.fitted, 0, path)

    def __getstate__(self) -> dict[str, Any]:
        """State for another machine, where nothing is prepared."""
        return {"fitted": self.fitted, "index": self.index}
