"""The examples a batch at a time: no Python for each example, no copies by workers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from pipeline.arrays import Array
from pipeline.examples.example_set import ExampleSet
from pipeline.network.lists import Lists


class Batches(Dataset[dict[str, Any]]):
    """Examples for PyTorch's loaders: item [i, j, ...] is one batch of the examples i, j, ..."""

    def __init__(self, rows: ExampleSet, dense: Array, target: Array) -> None:
        self.rows, self.dense, self.target = rows, dense, target

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: Sequence[int]) -> dict[str, Any]:
        return {
            "inputs": Lists.after_each_other(*self.rows.inputs.lists(chosen)),
            "labels": Lists.after_each_other(*self.rows.labels.lists(chosen)),
            "dense": torch.from_numpy(self.dense[chosen]),
            "target": torch.from_numpy(self.target[chosen]),
        }

    def part(self, i: int, n: int) -> "Batches":
        """The part of process i of n: neighbouring examples. All parts have the same size, and so as many steps.

        Where n does not divide the number of examples, some neighbouring parts share an example.
        """
        size = -(-len(self) // n)
        start = (len(self) - size) * i // max(n - 1, 1)
        some = slice(start, start + size)
        return Batches(self.rows.cut(some), self.dense[some], self.target[some])

    def loader(self, size: int, generator: torch.Generator | None = None) -> "Loader":
        """Batches of this size; with a generator they are shuffled anew in each epoch."""
        return Loader(self, size, generator)


class Loader(DataLoader[dict[str, Any]]):
    """Batches that can resume in the middle of an epoch: Lightning saves their state in its checkpoints."""

    def __init__(self, batches: Batches, size: int, generator: torch.Generator | None) -> None:
        order = RandomSampler(batches, generator=generator) if generator else SequentialSampler(batches)
        super().__init__(
            batches,
            batch_size=None,
            sampler=_Order(order, size, drop_last=False),
            collate_fn=_as_it_is,
            generator=generator or torch.Generator(),  # a loader draws a number: not from dropout's generator
        )

    def __iter__(self) -> Any:
        assert isinstance(self.sampler, _Order)
        self._began = self.generator.get_state()
        self.sampler.done = self.sampler.behind
        return super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """The random state of the epoch's order and the number of batches done; at an epoch's end, of the next."""
        order = self.sampler
        assert isinstance(order, _Order)
        assert self.generator is not None
        if order.done == len(order):
            return {"random": self.generator.get_state(), "done": 0}
        return {"random": self._began, "done": order.done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state in the next iteration."""
        assert isinstance(self.sampler, _Order)
        assert self.generator is not None
        self.generator.set_state(state["random"])
        self.sampler.behind = state["done"]


def _as_it_is(batch: Any) -> Any:
    """The batch: there is nothing left to collate."""
    return batch


class _Order(BatchSampler):
    """Batches of indices, with a count of those that are done; an iteration can skip the first ones."""

    behind = done = 0

    def __iter__(self) -> Iterator[list[int]]:
        behind, self.behind = self.behind, 0
        for self.done, batch in enumerate(super().__iter__(), 1):
            if self.done > behind:
                yield batch
