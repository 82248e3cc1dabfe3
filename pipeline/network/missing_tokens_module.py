"""How missing tokens are learned: what goes in at a step and what is predicted, the loss and the optimiser."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from pipeline.accelerators import device_of
from pipeline.arrays import Array
from pipeline.embedding import Problem
from pipeline.examples.recency import ORDERED
from pipeline.network.batches import Batches
from pipeline.network.divided_start import divided_start
from pipeline.network.divided_table import Exchange, with_own_rows
from pipeline.network.lists import Lists
from pipeline.network.losses import softmax_loss
from pipeline.network.missing_tokens_network import OF_ORDER, MissingTokensNetwork, network_of
from pipeline.network.missing_tokens_promising import best_power, worth_trying
from pipeline.network.missing_tokens_start import ROUGHLY, missing_tokens_network
from pipeline.network.parts_of_lists import parts_of_each_other, samples_a_list, share_of, what_came_next
from pipeline.network.sampled_softmax import NegativeSampler, RowWiseAdagrad, Touched, among, renumbered
from pipeline.network.task_module import Prepared, Recipe, TaskModule, sets_of
from pipeline.tasks.missing_tokens import POWERS, MissingTokensTraining

DECAY_RATE = 0.05
"""Learning rate of the logit of the decay."""
SHORT = 20
"""Most tokens of a list, on average: in longer ones a token is only a small part of what predicts it."""


class MissingTokensModule(TaskModule):
    """Learns which tokens are missing from a list."""

    network: MissingTokensNetwork
    settings: MissingTokensTraining
    exchange: Exchange | None = None
    """With the other workers, where each has some rows of the table."""

    def __init__(self, network: nn.Module, settings: MissingTokensTraining, steps: int, counts: Array) -> None:
        super().__init__(network, settings, steps)
        self.proposal = NegativeSampler(torch.from_numpy(counts)) if settings.negatives else None
        self.touched = Touched(len(counts))
        self.most = math.inf
        """How many samples of a list are taken, on average at most, where the network learns what came next."""

    @classmethod
    def prepared(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """The module at its start, or with the state of its network that an earlier process kept."""
        assert isinstance(settings, MissingTokensTraining)
        assert problem.dimension is not None
        training, conf, settings = problem.training, problem.conf, _with(option, settings)
        kept = kept if ORDERED in option else {name: one for name, one in kept.items() if name not in OF_ORDER}
        network = (
            network_of(kept, settings.dropout, sparse=bool(settings.negatives))
            if kept
            else missing_tokens_network(
                training,
                settings,
                problem.dimension,
                option["temperature"],
                conf.seed,
                conf.dtype,
                device_of(settings, getattr(torch, conf.dtype)),
            )
        )
        if ORDERED in option and network.step is None:
            network.follow_order()
        module = cls(network, settings, steps, training.inputs.counts)
        module.most = samples_a_list(training.inputs, settings.batch_size or 1)
        return Prepared(module, sets_of(problem), {})

    @classmethod
    def in_parts(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The candidates once more, with lists that are cut; none where lists are long, or conf says what to do."""
        rows, validation = problem.training.inputs, problem.validation
        is_short = rows.times is None and rows.weights is None and rows.lengths.mean() <= SHORT
        if settings.cut is not None or not is_short or not validation:
            return []
        return [one | {"cut": 1} for one in among]

    @classmethod
    def in_order(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Candidates that learn what came next, at the two sharpest temperatures; none where nothing has an order."""
        rows, validation = problem.training.inputs, problem.validation
        has_order = rows.times is not None and rows.weights is None and not settings.negatives
        if not has_order or problem.start or not validation:
            return []
        sharpest = sorted(settings.choices(), key=lambda one: one["temperature"])[:2]
        return [one | {"count_power": among[0]["count_power"], "cut": 0, ORDERED: 1} for one in sharpest]

    @classmethod
    def promising(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The usual temperatures that their losses at the start make worth trying; all, where conf names temperatures.

        They start with the power of the counts that is best there. Without validation examples it is the first power,
        and the first of the usual temperatures, because nothing could choose.
        """
        assert isinstance(settings, MissingTokensTraining)
        if "step" in (problem.start or {}) and problem.training.inputs.times is not None:
            return [one | {ORDERED: 1} for one in among]  # it goes on as it began
        is_usual, powers = settings.has_usual_temperatures, settings.count_power or POWERS
        if not problem.validation:
            return among[:1] if is_usual else among
        tried = powers[:1] if problem.start else powers  # an earlier embedding started somewhere
        if not is_usual and len(tried) == 1:
            return among
        power, losses = best_power(problem, settings, tried, [option["temperature"] for option in among])
        return [among[i] | {"count_power": power} for i in (worth_trying(losses) if is_usual else range(len(among)))]

    @classmethod
    def divided(cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any]) -> Recipe:
        """The module at its start, where each worker has some rows of the table."""
        assert isinstance(settings, MissingTokensTraining)
        if not settings.negatives:
            return super().divided(problem, settings, steps, option)
        assert problem.dimension is not None
        conf, counts = problem.conf, problem.training.inputs.counts
        how = (_with(option, settings), problem.dimension, option["temperature"], conf.seed, conf.dtype)
        return Recipe(partial(cls._of_worker, counts, steps, *how), sets_of(problem), {})

    @classmethod
    def _of_worker(
        cls,
        counts: Array,
        steps: int,
        settings: MissingTokensTraining,
        dimension: int,
        temperature: float,
        seed: int,
        dtype: str,
        sets: list[Batches],
    ) -> Self:
        exchange, own = Exchange(), sets[0].rows.inputs
        start = divided_start(own, counts, settings, dimension, temperature, seed, dtype, exchange, ROUGHLY)
        module = cls(with_own_rows(start, exchange), settings, steps, counts)
        module.exchange, exchange.bytes_sent = exchange, 0
        return module

    @property
    def is_divided(self) -> bool:  # type: ignore[override]
        """Whether each worker has some rows of the table."""
        return self.exchange is not None

    @property
    def bytes_sent(self) -> int:  # type: ignore[override]
        """Bytes of rows and gradients that were sent to other workers."""
        return self.exchange.bytes_sent if self.exchange else 0

    def plan(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What goes in and what is predicted: in training, a share of each list, by default all, and the whole list.

        Where lists are cut, each part of a list predicts the other. Where their order is learned, training predicts
        what came next from what came before, at many moments. Where negatives are drawn, `touched` has the tokens (U,)
        of the batch and of the draw, and all lists name tokens by their places there. Validation always draws the same
        tokens.
        """
        settings = self.settings
        whole: Lists = batch["inputs"]
        excluded: Lists | None
        if not self.training:
            inputs, labels = whole, batch["labels"]
            excluded = inputs.joined(labels) if settings.decoupled else inputs
        elif self.network.step is not None:
            inputs, labels = what_came_next(whole, self.most)
            excluded = inputs.joined(labels) if settings.decoupled else inputs
        elif settings.cut:
            inputs, labels = parts_of_each_other(whole)
            excluded = inputs  # labels compete with each other, as in a ranking: of few tokens a list has many
        else:
            inputs = labels = whole
            excluded = whole if settings.decoupled else None
            if settings.input_share != (1.0, 1.0):
                inputs = whole.keep(share_of(whole, *settings.input_share))
        plan: dict[str, Any] = {"touched": None, "drawn": None}
        if self.proposal is not None:
            assert settings.negatives
            generator = None if self.training else torch.Generator().manual_seed(0)
            drawn = self.proposal.draw(settings.negatives, generator)
            same = labels is inputs
            touched, numbers = self.touched.number(drawn.tokens, inputs.tokens, *([] if same else [labels.tokens]))
            drawn = drawn.at(numbers)
            if excluded is not None:
                excluded = among(renumbered(excluded, numbers), drawn.tokens, len(touched))
            inputs = renumbered(inputs, numbers).grouped(len(touched))
            labels = inputs if same else renumbered(labels, numbers).grouped(len(touched))
            plan = {"touched": touched, "drawn": drawn}
        return plan | {"inputs": inputs, "labels": labels, "excluded": excluded}

    def loss_of(self, plan: dict[str, Any]) -> Tensor:
        """Softmax cross entropy, over all tokens, or on the rows of the table that a plan touches."""
        network, touched = self.network, plan["touched"]
        if not len(plan["inputs"].offsets):  # lists of one time, after which nothing came
            return sum((0.0 * one.sum() for one in network.parameters()), network.lift.new_zeros(()))
        vectors = network.table.weight if touched is None else network.table(touched)  # (V, D) or (U, D)
        bias = network.bias.weight if touched is None else network.bias(touched)
        return softmax_loss(
            network.hidden_of(network.bags(plan["inputs"], vectors)),
            network.augmented(vectors),
            bias[:, 0],
            plan["labels"],
            self.settings.label_power if self.training else 1.0,
            plan["excluded"],
            plan["drawn"],
        )

    def configure_optimizers(self) -> Any:
        """An optimiser with a learning rate of its own for the biases, and weight decay for the table only."""
        (decay, *_) = self.settings.weight_decay or (0.0,)
        groups = [
            {"params": [self.network.table.weight], "weight_decay": decay},
            {"params": [self.network.bias.weight], "weight_decay": 0.0, "lr": self.settings.bias_learning_rate},
        ]
        if self.network.step is not None:
            groups.append({"params": [self.network.step], "weight_decay": 0.0})
            groups.append({"params": [self.network.decay_logit], "weight_decay": 0.0, "lr": DECAY_RATE})
        if self.proposal is not None:
            assert self.settings.learning_rate is not None
            return self._along_a_cosine(
                RowWiseAdagrad(groups, self.settings.learning_rate, distinct=self.settings.processes == 1)
            )
        return self._along_a_cosine(self._adamw(groups, betas=(0.9, 0.99)))


def _with(option: Mapping[str, Any], settings: MissingTokensTraining) -> MissingTokensTraining:
    """The settings with the choices of a candidate; candidates of earlier versions lack some."""
    chosen = {name: (option[name],) for name in ("weight_decay", "count_power") if name in option}
    return settings.model_copy(update={**chosen, "cut": bool(option.get("cut"))})
