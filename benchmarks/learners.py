"""Learners that fit the sparse examples: ours, what people use, and what most people write themselves.

Each takes the encoded examples and returns a fit that scores; all are evaluated on the same held-out examples. None is
tuned on the validation examples, and ours keeps its default settings. Only implicit's ALS has the weight of an observed
pair (alpha 50) that did best of 5, 20 and 50 on these data.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from benchmarks import machine
from benchmarks.encoders import OURS
from pipeline.baselines.als import Als
from pipeline.baselines.pca import Pca
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Embedding, Fitted, Problem, nowhere
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.learned import LearnedEmbedding
from pipeline.vocabulary.vocabulary import Vocabulary

D = 32
STEPS = 100
"""Steps of the plain loop: enough to measure its speed."""


@dataclass(frozen=True)
class Task:
    """The input that all learners get."""

    conf: Dataset
    vocabulary: Vocabulary
    examples: SparseExamples
    training: ExampleSet


@dataclass(frozen=True)
class Learned:
    """The fit of a learner, and the least work that it takes."""

    fitted: Fitted
    pairs: int
    """Number of pairs learned from, each counted as often as it was used: ALS goes over all of them 15 times."""
    bytes: float
    """Least number of bytes to read or write in memory, where caches do not help."""
    multiply_adds: float
    """Least number of multiply-adds to do."""


@dataclass(frozen=True)
class _Plain:
    """A fit that can score, and nothing else."""

    logits: Callable[[sparse.csr_matrix], npt.NDArray[np.float32]]
    embedding: Embedding
    weights: Mapping[str, Any] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        return self.logits(inputs)


def _problem(task: Task, dimension: int | None = None) -> Problem:
    return Problem(task.training, task.vocabulary, task.conf, dimension)


def ours(task: Task) -> Learned:
    """The learned embedding, trained with Lightning by its defaults."""
    fitted = LearnedEmbedding(task.conf).fit(_problem(task, D))
    pairs = _pairs(task) * fitted.chosen["epochs"]
    settings = task.conf.training
    competing = getattr(settings, "negatives", 0) or len(task.vocabulary)
    products = len(task.training) * fitted.chosen["epochs"] * competing * (D + 2) * 3  # logits, and two gradients
    return Learned(fitted, pairs, bytes=2 * pairs * D * 4, multiply_adds=products + 4 * pairs * D)


def ours_on_gpu(task: Task) -> Learned:
    """The learned embedding by its defaults, on the GPU, with products in TF32."""
    training = task.conf.training.model_copy(update={"accelerator": "gpu", "matmul_precision": "high"})
    return ours(replace(task, conf=task.conf.model_copy(update={"training": training})))


def many_on_gpu(task: Task) -> Learned:
    """The same with 65,536 drawn tokens in a step instead of 4,096."""
    training = task.conf.training.model_copy(update={"negatives": 65_536})
    return ours_on_gpu(replace(task, conf=task.conf.model_copy(update={"training": training})))


def als(task: Task) -> Learned:
    """ALS of implicit, 15 iterations."""
    fitted = Als(dimension=D, regularisation=10.0, alpha=50.0).fit(_problem(task))
    sides, conjugate = 2 * _pairs(task) * 15, 4  # users and movies; products with the observed rows in a step
    rows = (len(task.training) + len(task.vocabulary)) * 15
    return Learned(
        fitted,
        _pairs(task) * 15,
        bytes=sides * D * 4,
        multiply_adds=sides * 2 * D * conjugate + rows * D * D * conjugate,
    )


def pca(task: Task) -> Learned:
    """PCA of scikit-learn, arpack: the baseline."""
    fitted = Pca().fit(_problem(task, D))
    products = 2 * (2 * D + 1)  # with the rows and with the columns, in as many steps as arpack's basis has vectors
    return Learned(fitted, _pairs(task), bytes=products * _pairs(task) * 8, multiply_adds=products * _pairs(task))


def plain_on_gpu(task: Task) -> Learned:
    """The same plain PyTorch loop, on the GPU."""
    return plain(task, "cuda")


def plain(task: Task, device: str = "cpu") -> Learned:
    """A plain PyTorch loop, its first 100 steps: Dataset, DataLoader, EmbeddingBag, 4,096 uniform negatives, Adam."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    v = len(task.vocabulary)
    inputs = task.training.inputs

    class Users(Dataset[Any]):
        def __len__(self) -> int:
            return len(inputs)

        def __getitem__(self, i: int) -> torch.Tensor:
            return torch.from_numpy(inputs[[i]].indices.astype(np.int64))

    def collate(lists: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.cat(lists), torch.tensor([0, *(len(tokens) for tokens in lists[:-1])]).cumsum(0)

    torch.manual_seed(0)
    bag, out = nn.EmbeddingBag(v, D, mode="mean").to(device), nn.Linear(D, v).to(device)
    optimiser = torch.optim.Adam([*bag.parameters(), *out.parameters()], lr=0.01)
    pairs = 0
    loader = DataLoader(Users(), 1024, shuffle=True, collate_fn=collate)
    for tokens, offsets in islice(chain.from_iterable(repeat(loader)), STEPS):
        tokens, offsets, n = tokens.to(device), offsets.to(device), len(tokens)
        negatives = torch.randint(v, (4096,), device=device)
        rows = torch.repeat_interleave(
            torch.arange(len(offsets), device=device), torch.diff(offsets, append=torch.tensor([n], device=device))
        )
        hidden = bag(tokens, offsets)
        wanted = (hidden[rows] * out.weight[tokens]).sum(dim=1) + out.bias[tokens]
        others = hidden @ out.weight[negatives].T + out.bias[negatives] + np.log(v / 4096)
        loss = (torch.logaddexp(wanted, others.logsumexp(dim=1)[rows]) - wanted).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        pairs += n

    bag, out = bag.cpu(), out.cpu()

    def score(inputs: sparse.csr_matrix) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            tokens, offsets = (torch.from_numpy(a.astype(np.int64)) for a in (inputs.indices, inputs.indptr[:-1]))
            return np.asarray(out(bag(tokens, offsets)).numpy())

    adam = STEPS * 2 * v * D * 4 * 7  # weights and both moments in and out, the gradient in: all rows, each step
    products = STEPS * 1024 * 4096 * D * 3
    return Learned(_Plain(score, nowhere(task.vocabulary)), pairs, bytes=adam, multiply_adds=products)


def _pairs(task: Task) -> int:
    """Number of pairs in the training examples."""
    return int(task.training.inputs.lengths.sum())


LEARNERS: dict[str, Callable[[Task], Learned]] = {
    OURS: ours,
    "als": als,
    "pca": pca,
    "plain": plain,
}
ON_GPU: dict[str, Callable[[Task], Learned]] = {
    "ours_on_gpu": ours_on_gpu,
    "many_on_gpu": many_on_gpu,
    "plain_on_gpu": plain_on_gpu,
}
"""Learners that take part where there is a GPU."""


NEEDED = {
    OURS: ("pipeline.network.contest", "pipeline.network.missing_tokens_module", "sklearn.decomposition"),
    "als": ("pipeline.baselines.als", "implicit.als"),
    "pca": ("pipeline.baselines.pca", "sklearn.decomposition"),
    "plain": ("torch.utils.data",),
}
NEEDED |= {"ours_on_gpu": NEEDED[OURS], "many_on_gpu": NEEDED[OURS], "plain_on_gpu": NEEDED["plain"]}
"""Modules that are imported before the clock starts."""


def task_of(folder: Path, training: Mapping[str, Any] | None = None) -> Task:
    """Load the task that `encoders.ours` left in a folder, and replace some training settings."""
    conf, vocabulary = load(folder / "generated.yaml"), Vocabulary.load(folder)
    conf = conf.model_copy(update={"training": conf.training.model_copy(update=dict(training or {}))})
    examples = SparseExamples.load(folder)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    return Task(conf, vocabulary, examples, examples.training())


def learn(name: str, folder: Path) -> tuple[float, dict[str, Any]]:
    """Run one learner: its seconds, its recall, its pairs per second, and the least work that it takes."""
    for module in NEEDED[name]:
        import_module(module)
    task = task_of(folder)
    if name in ON_GPU:
        machine.wake_gpu()
    start = time.perf_counter()
    learned = (LEARNERS | ON_GPU)[name](task)
    seconds = time.perf_counter() - start
    held_out = task.examples.held_out("test", at_most=task.conf.task.most_evaluated, seed=task.conf.seed)
    recall = task.conf.task.evaluate(learned.fitted, held_out)["recall_at_20"].mean()
    return seconds, {
        "recall_at_20": recall,
        "pairs_per_second": learned.pairs / seconds,
        "bytes": learned.bytes,
        "multiply_adds": learned.multiply_adds,
    }
