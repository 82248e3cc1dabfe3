"""How the network of the course learns: of some tokens of a list a few predict the others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.embedding import Problem
from pipeline.network.course import CourseNetwork as Settings
from pipeline.network.course_network import CourseNetwork, network_of, table_of
from pipeline.network.lists import Lists
from pipeline.network.losses import softmax_loss
from pipeline.network.task_module import Prepared, TaskModule, sets_of


class CourseModule(TaskModule):
    """Learns which tokens are missing from a list, as the course tells it."""

    network: CourseNetwork
    settings: Settings
    share_in: float

    @classmethod
    def prepared(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """The module at a random start, or with the network that was kept."""
        assert isinstance(settings, Settings)
        assert problem.dimension is not None
        conf = problem.conf
        network = (
            network_of(kept, settings.dropout)
            if kept
            else CourseNetwork(
                table_of(len(problem.vocabulary), problem.dimension, conf.dtype), settings.hidden, settings.dropout
            )
        )
        module = cls(network, settings, steps)
        module.share_in = conf.task.share_in
        return Prepared(module, sets_of(problem), {})

    def plan(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What goes in and what is predicted: both are drawn from the list; of a validation example they are given."""
        inputs, labels = batch["inputs"], batch["labels"]
        if self.training:
            inputs, labels = drawn_from(repeated(inputs, self.settings.draws), self.settings.drawn, self.share_in)
        return {"inputs": inputs, "labels": labels}

    def loss_of(self, plan: dict[str, Any]) -> Tensor:
        """Softmax cross entropy of labels, the mean over those of an example, and over the examples that have some."""
        output = self.network.output
        nodes = self.network.nodes(plan["inputs"])
        return softmax_loss(nodes, output.weight, output.bias, plan["labels"], power=1.0)

    def configure_optimizers(self) -> Any:
        """Adam."""
        return torch.optim.Adam(self.network.parameters(), lr=self.settings.learning_rate, fused=True)


def drawn_from(lists: Lists, n: int, share_in: float) -> tuple[Lists, Lists]:
    """At most n tokens of each list, at random: those that go in, and those that are its labels.

    Tokens with weights are drawn in proportion to them (Efraimidis and Spirakis, 2006), and then count the same.

    Args:
        lists: of which tokens are drawn.
        n: tokens of a list.
        share_in: of those that are drawn; at least one goes in, and one of two or more does not.
    """
    lengths = torch.bincount(lists.rows, minlength=len(lists.offsets))
    drawn = torch.rand(len(lists.rows), dtype=torch.float64)
    if lists.weights is not None:
        drawn, lists = 1 - (1 - drawn) ** (1 / lists.weights), replace(lists, weights=None)
    order = torch.from_numpy(np.argsort((lists.rows + drawn).numpy()))  # NumPy sorts three times as fast
    n_drawn = lengths.clamp(max=n)
    n_in = (n_drawn * share_in).round().long().clamp(min=1).minimum((n_drawn - 1).clamp(min=1))
    nth = torch.arange(n).expand(len(lengths), n)  # (B, n)

    def drawn_at(chosen: Tensor) -> Lists:
        """The tokens that were drawn as the nth of their list, for each nth that `chosen` (B, n) marks."""
        kept = torch.zeros(len(order), dtype=torch.bool)
        kept[order[(lists.offsets[:, None] + nth)[chosen]]] = True
        return lists.keep(kept)

    is_drawn, goes_in = nth < n_drawn[:, None], nth < n_in[:, None]
    return drawn_at(is_drawn & goes_in), drawn_at(is_drawn & ~goes_in)


def repeated(lists: Lists, n: int) -> Lists:
    """All lists n times, one time after the other."""
    offsets = torch.cat([lists.offsets + i * len(lists.tokens) for i in range(n)])
    rows = torch.cat([lists.rows + i * len(lists.offsets) for i in range(n)])
    return Lists(lists.tokens.repeat(n), offsets, rows, None if lists.weights is None else lists.weights.repeat(n))
