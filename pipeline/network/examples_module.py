"""The examples that Lightning trains on, in batches; each process reads its own part."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as L  # noqa: N812
import torch

from pipeline.network.batches import Batches, Loader

SCORED_AT_ONCE = 1024
"""Examples in a validation batch, from which nothing is learned."""


class ExamplesModule(L.LightningDataModule):
    """The training and the validation examples; each process reads its own part."""

    def __init__(self, sets: Sequence[Batches], size: int, seed: int) -> None:
        super().__init__()
        self.training, self.validation = [*sets, None][:2]
        self.size, self.seed = size, seed
        self._loader: Loader | None = None
        self._state: dict[str, Any] = {}

    def train_dataloader(self) -> Loader:
        """Training batches, in another order in each epoch and in each process."""
        assert self.training is not None
        random = torch.Generator().manual_seed(self.seed + self._process)
        self._loader = self._part(self.training).loader(self.size, random)
        if self._state:  # Lightning itself restores the state of a loader only within an epoch, not between two
            self._loader.load_state_dict(self._state)
        return self._loader

    def state_dict(self) -> dict[str, Any]:
        """The order of the training examples in this epoch, and how far the epoch has come."""
        return self._loader.state_dict() if self._loader else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._state = state_dict

    def val_dataloader(self) -> Any:
        """Validation batches, in the order of the examples."""
        return self._part(self.validation).loader(SCORED_AT_ONCE) if self.validation is not None else []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """The batch as it is: a step moves what it needs (`TaskModule.loss`)."""
        return batch

    @property
    def _process(self) -> int:
        return int(self.trainer.global_rank) if self.trainer else 0

    def _part(self, batches: Batches) -> Batches:
        n = self.trainer.world_size if self.trainer else 1
        return batches.part(self._process, n)


class OwnExamples(ExamplesModule):
    """The examples of a worker that has only its own part."""

    def _part(self, batches: Batches) -> Batches:
        return batches
