"""Devices that are asked for; where there is a GPU, what it finds is what the processor finds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse
from torch import Tensor

from pipeline.accelerators import accelerator, device_of, products_of
from pipeline.baselines import principal_components as solvers
from pipeline.baselines.principal_components import Components, principal_components
from pipeline.config.dataset import Dataset
from pipeline.config.training import Schedule
from pipeline.embedding import Factors, Problem, Watch
from pipeline.errors import PipelineError
from pipeline.evaluation.product_ranking import ProductRanking
from pipeline.evaluation.ranking_on_gpu import first_on_gpu
from pipeline.network.learned import LearnedEmbedding
from pipeline.network.task_module import module_of, on_device
from tests.conftest import encoded_from

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


def problem_of(records: pl.DataFrame, conf: Dataset, **training: Any) -> Problem:
    """What a fit gets, with these training settings."""
    vocabulary, examples = encoded_from(records, conf)
    conf = conf.model_copy(update={"training": conf.training.model_copy(update=training)})
    return Problem(examples.training(), vocabulary, conf.resolved(examples.n_training, len(vocabulary)), 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told_with_the_cure_and_auto_takes_the_processor(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    def learned(accelerator: str) -> Any:
        problem = problem_of(two_genres, movies, accelerator=accelerator, max_epochs=2)
        return LearnedEmbedding(problem.conf).fit(problem).embedding.matrix

    assert (learned("auto") == learned("cpu")).all()
    with pytest.raises(PipelineError, match=r"planted_\w+.yaml, training.accelerator: PyTorch .* finds no GPU here"):
        learned("gpu")


def test_numbers_of_64_bits_are_refused_on_a_mac_s_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert accelerator(Schedule(accelerator="mps"), torch.float32, "a.yaml") == "mps"
    with pytest.raises(PipelineError, match=r"a\.yaml, training\.accelerator: .* Write `precision: 32`"):
        accelerator(Schedule(accelerator="mps"), torch.float64, "a.yaml")


def test_a_gpu_without_room_is_told_in_a_sentence_and_products_are_exact_again() -> None:
    with products_of(Schedule(matmul_precision="high"), "a.yaml"):
        assert torch.get_float32_matmul_precision() == "high"
    with (
        pytest.raises(PipelineError, match=r"a\.yaml, training\.accelerator: the GPU has no room .*Tried to allocate"),
        products_of(Schedule(matmul_precision="high"), "a.yaml"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("asked", ["cpu", "auto", "gpu"])
def test_products_are_made_on_a_gpu_where_one_is_asked_for_and_there(
    asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Schedule(accelerator=asked)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert {device_of(settings, name) for name in (torch.float32, torch.float64)} == {"cpu"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of(settings, torch.float32) == ("cpu" if asked == "cpu" else "cuda")
    assert device_of(settings, torch.float64) == ("cuda" if asked == "gpu" else "cpu")


@contextmanager
def never_waiting() -> Iterator[None]:
    """Refuse whatever lets the processor wait for a GPU."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


NETWORKS = [
    ("two_genres", "movies", {}),
    ("two_genres", "movies", {"negatives": 8}),
    ("priced_words", "homes", {"token_dropout": 0.0, "dropout": 0.0}),
    ("noted_words", "notes", {"token_dropout": 0.0, "dropout": 0.0}),
]
"""Without random numbers, which a GPU draws otherwise."""


@on_a_gpu
@pytest.mark.parametrize(("data", "name", "options"), NETWORKS)
def test_a_gpu_learns_what_the_processor_learns(
    data: str, name: str, options: dict[str, Any], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same start: on a GPU it is that of another solver."""
    monkeypatch.setattr("pipeline.network.missing_tokens_module.device_of", lambda *_: "cpu")
    conf = request.getfixturevalue(name).model_copy(update={"precision": 64})

    def learned(accelerator: str) -> Any:
        problem = problem_of(request.getfixturevalue(data), conf, accelerator=accelerator, max_epochs=3, **options)
        return LearnedEmbedding(problem.conf).fit(problem).embedding.matrix

    here, there = learned("cpu"), learned("gpu")
    assert np.abs(here - there).max() < 1e-3 * np.abs(here).max()


@on_a_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize(("data", "name", "options"), NETWORKS)
def test_the_processor_waits_for_a_gpu_in_no_step(
    data: str, name: str, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    conf = request.getfixturevalue(name).model_copy(update={"precision": 32})
    problem = problem_of(request.getfixturevalue(data), conf, **options)
    settings = problem.conf.training
    learner = module_of(problem.conf.task.learner)
    module, sets, _ = learner.prepared(problem, settings, 10, settings.choices()[0], {})
    module.to("cuda").train()
    optimiser = module.configure_optimizers()["optimizer"]

    def step() -> Tensor:
        optimiser.zero_grad()
        loss: Tensor = module.loss_of(on_device(module.plan(sets[0][range(32)]), torch.device("cuda")))
        loss.backward()
        optimiser.step()
        return loss

    step()  # makes the optimiser's state
    with never_waiting():
        loss = step()
    with pytest.raises(RuntimeError, match="synchroniz"), never_waiting():
        float(loss.detach())


@on_a_gpu
@pytest.mark.parametrize("negatives", [0, 8])
def test_a_training_on_a_gpu_that_stopped_goes_on(
    negatives: int, two_genres: pl.DataFrame, movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.network.callbacks.CHECKPOINT_SECONDS", 0.0)
    problem = problem_of(two_genres, movies, accelerator="gpu", max_epochs=6, negatives=negatives, dropout=0.1)

    def learned(name: str, on_epoch: Callable[[Any, int], None]) -> Any:
        watch = Watch("movies", on_epoch=on_epoch, checkpoints=tmp_path / name)
        return LearnedEmbedding(problem.conf).fit(replace(problem, watch=watch)).embedding.matrix

    def stop(_: Any, epoch: int) -> None:
        if epoch == 4:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        learned("stopped", stop)
    epochs: list[int] = []
    again = learned("stopped", lambda _, epoch: epochs.append(epoch))
    whole = learned("whole", lambda *_: None)
    assert epochs == [1, 2, 3, 4, 5, 6]  # those of the earlier process are told first
    assert np.abs(again - whole).max() < 1e-3 * np.abs(whole).max()


@on_a_gpu
@pytest.mark.parametrize("shape", [(900, 400), (400, 900)])
def test_a_gpu_finds_the_processor_s_components(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    rows = sparse.csr_matrix(random.random(shape) < 0.05 + 0.2 * np.eye(*shape), dtype=np.float32)
    weight = random.uniform(0.5, 1, shape[1])
    here, there = (principal_components(rows, 8, 1, "randomised", weight, device=where) for where in ("cpu", "cuda"))
    assert np.allclose(here.variance, there.variance, rtol=1e-3)
    assert np.allclose(here.mean, there.mean, atol=1e-6)


def test_components_are_found_on_the_processor_where_a_gpu_has_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sparse.csr_matrix(np.random.default_rng(1).random((60, 40)) < 0.2, dtype=np.float32)
    expected = principal_components(rows, 3, 1, "randomised")
    found, asked = solvers._randomised, []

    def crowded(device: str, *problem: Any) -> Components:
        asked.append(device)
        if device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return found(device, *problem)

    monkeypatch.setattr(solvers, "_randomised", crowded)
    components = principal_components(rows, 3, 1, "randomised", device="cuda").components
    assert asked == ["cuda", "cpu"]
    assert (components == expected.components).all()


@on_a_gpu
def test_a_gpu_finds_the_processor_s_rankings() -> None:
    random = np.random.default_rng(1)
    items, of_tokens = (random.normal(size=(3_000, 6)).astype(np.float32) for _ in range(2))
    inputs = sparse.random_array((500, 3_000), density=0.01, format="csr", random_state=random, dtype=np.float32)
    factors = Factors(items, lambda lists: np.asarray(lists @ of_tokens, np.float32), "cuda")
    here, there = ProductRanking(factors).first(inputs, 20), first_on_gpu(factors, inputs, 20)
    assert np.allclose(here.scores, there.scores, rtol=1e-4, atol=1e-5)
    assert (here.tokens == there.tokens).mean() > 0.999
