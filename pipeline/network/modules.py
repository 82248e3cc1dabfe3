"""What Lightning trains: the loss and the optimiser of each task around its network, and the examples."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import pytorch_lightning as L  # noqa: N812 - the name that Lightning's own documentation uses
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from pipeline.config.training import MissingTokensTraining, RegressionTraining
from pipeline.network.batches import Batches, Lists, Loader
from pipeline.network.losses import softmax_loss
from pipeline.network.models import MissingTokensNetwork, RegressionNetwork
from pipeline.network.sampled_softmax import NegativeSampler, RowWiseAdagrad, Touched, renumbered

Array = npt.NDArray[Any]

SCORED_AT_ONCE = 1024
"""Examples of a batch where nothing is learned from them."""


class TaskModule(L.LightningModule):
    """What both tasks share: losses that are logged by epoch, a learning rate along a cosine to 0."""

    def __init__(self, network: nn.Module, settings: Any, steps: int) -> None:
        super().__init__()
        self.network, self.settings, self.steps = network, settings, steps
        self.loss_so_far = self.examples_so_far = 0.0  # of the epoch

    def _log_loss(self, name: str, loss: Tensor | float, size: int) -> None:
        together = self.trainer.world_size > 1
        self.log(name, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=size, sync_dist=together)

    def on_train_start(self) -> None:
        """Each process draws random numbers of its own."""
        if self.global_rank:
            torch.manual_seed(torch.initial_seed() + self.global_rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The state of the random numbers goes with the weights, and what the epoch has come to."""
        checkpoint["random"] = torch.get_rng_state()
        checkpoint["so_far"] = self.loss_so_far, self.examples_so_far

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the same random numbers, from there."""
        torch.set_rng_state(checkpoint["random"])
        self.loss_so_far, self.examples_so_far = checkpoint["so_far"]

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """One batch of training examples; the epoch's mean loss is logged once, as logging takes longer than a step."""
        loss = self.loss(batch)
        self.loss_so_far += float(loss.detach()) * len(batch["target"])
        self.examples_so_far += len(batch["target"])
        if self.trainer.is_last_batch:
            self._log_loss("train_loss", self.loss_so_far / self.examples_so_far, int(self.examples_so_far))
            self.loss_so_far = self.examples_so_far = 0.0
        return loss

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        """One batch of validation examples."""
        self._log_loss("validation_loss", self.loss(batch), len(batch["target"]))

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """The task's loss of a batch."""
        raise AssertionError("a task says what its loss is")

    def _adamw(self, groups: list[dict[str, Any]], **options: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True, **options)

    def _along_a_cosine(self, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(self.steps, 1))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class MissingTokensModule(TaskModule):
    """Learns which tokens are missing from a list."""

    network: MissingTokensNetwork
    settings: MissingTokensTraining

    def __init__(self, network: nn.Module, settings: MissingTokensTraining, steps: int, counts: Array) -> None:
        super().__init__(network, settings, steps)
        self.proposal = NegativeSampler(torch.from_numpy(counts)) if settings.negatives else None
        self.touched = Touched(len(counts))

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Softmax cross entropy; in training a share of each list goes in, by default all, and all of it is a label."""
        settings = self.settings
        whole: Lists = batch["inputs"]
        inputs, labels = whole, whole if self.training else batch["labels"]
        excluded = None if self.training else inputs
        if settings.decoupled:
            excluded = whole if self.training else inputs.joined(labels)
        if self.training and settings.input_share != (1.0, 1.0):
            inputs = whole.keep(_some_of(whole, *settings.input_share))
        power = settings.label_power if self.training else 1.0
        if self.proposal is None:
            hidden = self.network.hidden_of(inputs.mean(self.network.table.weight))
            bias = self.network.bias.weight[:, 0]
            return softmax_loss(hidden, self.network.outputs(), bias, labels, power, excluded)
        return self._loss_of_touched(inputs, labels, excluded, power)

    def _loss_of_touched(self, inputs: Lists, labels: Lists, excluded: Lists | None, power: float) -> Tensor:
        """The same loss, on the rows of the batch and of drawn tokens; always the same ones judge."""
        network = self.network
        assert self.settings.negatives
        assert self.proposal is not None
        generator = None if self.training else torch.Generator().manual_seed(0)
        drawn = self.proposal.draw(self.settings.negatives, generator)
        same = labels is inputs
        touched, numbers = self.touched.number(drawn.tokens, inputs.tokens, *([] if same else [labels.tokens]))
        lists = renumbered(inputs, numbers, len(touched))
        places = network.table(touched)  # (U, D)
        return softmax_loss(
            network.hidden_of(lists.mean(places)),
            network.lifted(places),
            network.bias(touched)[:, 0],
            lists if same else renumbered(labels, numbers, len(touched)),
            power,
            excluded._replace(tokens=numbers[excluded.tokens]) if excluded is not None else None,
            drawn.at(numbers),
        )

    def configure_optimizers(self) -> Any:
        """The biases have a learning rate of their own, the table alone has weight decay."""
        groups = [
            {"params": [self.network.table.weight], "weight_decay": self.settings.weight_decay},
            {"params": [self.network.bias.weight], "weight_decay": 0.0, "lr": self.settings.bias_learning_rate},
        ]
        if self.proposal is not None:
            assert self.settings.learning_rate is not None
            return self._along_a_cosine(RowWiseAdagrad(groups, lr=self.settings.learning_rate))
        return self._along_a_cosine(self._adamw(groups, betas=(0.9, 0.99)))


class RegressionModule(TaskModule):
    """Learns which number belongs to a list."""

    network: RegressionNetwork
    settings: RegressionTraining

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Huber loss of the standardised target."""
        inputs: Lists = batch["inputs"]
        assert self.settings.token_dropout is not None
        predicted = self.network(inputs.tokens, inputs.offsets, batch["dense"], self.settings.token_dropout)
        return F.huber_loss(predicted, batch["target"], delta=self.settings.huber)

    def configure_optimizers(self) -> Any:
        """Its own weight decay for the table and for the head's matrices, none for the rest."""
        network = self.network
        matrices = [network.first.weight, network.second.weight, network.outer.weight]
        groups = [
            {"params": [network.table.weight], "weight_decay": self.settings.table_weight_decay},
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": [network.first.bias, network.second.bias, *network.line.parameters()], "weight_decay": 0.0},
        ]
        return self._along_a_cosine(self._adamw(groups))


def _some_of(lists: Lists, low: float, high: float) -> Tensor:
    """Marks (T,) a random share of each list, between low and high, and at least its first token."""
    share = low + (high - low) * torch.rand(len(lists.offsets))
    kept = torch.rand(len(lists.tokens)) < share[lists.rows]
    nothing = torch.bincount(lists.rows[kept], minlength=len(lists.offsets)) == 0
    lengths = torch.bincount(lists.rows, minlength=len(lists.offsets))
    kept[lists.offsets[nothing & (lengths > 0)]] = True
    return kept


class ExamplesModule(L.LightningDataModule):
    """The training and the validation examples; each process reads a part of its own."""

    def __init__(self, sets: Sequence[Batches], size: int, seed: int) -> None:
        super().__init__()
        self.training, self.validation = [*sets, None][:2]
        self.size, self.seed = size, seed
        self._loader: Loader | None = None
        self._state: dict[str, Any] = {}

    def train_dataloader(self) -> Loader:
        """Batches in another order in each epoch and in each process."""
        assert self.training is not None
        random = torch.Generator().manual_seed(self.seed + self._process)
        self._loader = self._part(self.training).loader(self.size, random)
        if self._state:  # Lightning itself hands a loader its state within an epoch only, not between two
            self._loader.load_state_dict(self._state)
        return self._loader

    def state_dict(self) -> dict[str, Any]:
        """How far the epoch has come in the order of the training examples."""
        return self._loader.state_dict() if self._loader else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._state = state_dict

    def val_dataloader(self) -> Any:
        """Batches in the order of the examples."""
        return self._part(self.validation).loader(SCORED_AT_ONCE) if self.validation is not None else []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """The batch as it is: it is on the right device already."""
        return batch

    @property
    def _process(self) -> int:
        return int(self.trainer.global_rank) if self.trainer else 0

    def _part(self, batches: Batches) -> Batches:
        n = self.trainer.world_size if self.trainer else 1
        return batches.part(self._process, n)
