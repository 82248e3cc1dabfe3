from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.replicas import half, replicated
from pipeline.experiment.tracking import Tracker
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from

GROUPS, SIZE = 30, 11
"""Each token has ten true neighbours: the others of its group."""


@pytest.fixture(scope="module")
def purity() -> np.ndarray:
    """(GROUPS,) how often a token of each group stands with its own, and not with any."""
    return np.linspace(0.05, 0.95, GROUPS)


@pytest.fixture(scope="module")
def records(purity: np.ndarray) -> pl.DataFrame:
    """1,500 lists of 12 tokens; each token of a list is of the list's group as often as its own purity says."""
    random = np.random.default_rng(0)
    rows = []
    for example in range(1500):
        group = random.integers(GROUPS)
        while len({token for one, token in rows[-12:] if one == example}) < 12:
            drawn = random.integers(GROUPS) if random.random() > purity[group] else group
            rows.append((example, int(drawn * SIZE + random.integers(SIZE))))
    return pl.DataFrame(
        {"person": [f"p{one:04d}" for one, _ in rows], "film": [f"f{token:03d}" for _, token in rows]}
    ).unique(maintain_order=True)


@pytest.fixture(scope="module")
def conf() -> Dataset:
    return Dataset.model_validate(
        {
            "name": "planted",
            "description": "Groups of eleven.",
            "source": {"path": "planted.csv"},
            "example": "person",
            "tokens": [{"kind": "value", "columns": ["film"]}],
            "task": {"kind": "missing_tokens"},
            "dimensions": [16],
            "baselines": [{"kind": "pca", "dimensions": [16]}],
        }
    )


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory, fresh_database: Callable[[Path], str]) -> Tracker:
    folder = tmp_path_factory.mktemp("replicas")
    return Tracker(fresh_database(folder), folder / "artifacts", "planted")


@pytest.fixture(scope="module")
def encoded(records: pl.DataFrame, conf: Dataset) -> tuple[Vocabulary, SparseExamples]:
    return encoded_from(records, conf)


def test_stability_orders_tokens_as_their_noise_does_and_full_support_is_true(
    conf: Dataset, encoded: tuple[Vocabulary, SparseExamples], tracker: Tracker, purity: np.ndarray
) -> None:
    vocabulary, examples = encoded
    fits = fit_all(["embedding", "pca"], conf, *encoded, tracker).fits
    found = replicated(conf, fits, vocabulary, examples, tracker)
    assert [fit.name for fit in found if "stability" in fit.metrics] == ["embedding D=16", "pca D=16"]
    learned = Embedding.load(tracker.file(fits[0].run_id, "embedding.parquet"))
    assert learned.stability is not None
    assert learned.stability.replicas == 6
    assert found[0].metrics["stability"] == learned.stability.median

    group = np.array([int(token[1:]) // SIZE for token in vocabulary.tokens["token"]])
    ranks = [values.argsort().argsort() for values in (learned.stability.scores, purity[group])]
    assert np.corrcoef(*ranks)[0, 1] > 0.8
    is_true = group[learned.stability.nearest] == group[:, None]
    assert is_true[learned.stability.support == 6].mean() > 0.9
    assert is_true[learned.stability.support == 0].mean() < 0.5

    run = tracker.client.get_run(fits[0].run_id)
    assert run.data.metrics["stability"] == found[0].metrics["stability"]
    again = replicated(conf, fits, vocabulary, examples, tracker)  # the run keeps what its replicas have shown
    assert [fit.metrics for fit in again] == [fit.metrics for fit in found]
    none = replicated(conf.model_copy(update={"replicas": 0}), fits, vocabulary, examples, tracker)
    assert [fit.metrics for fit in none] == [fit.metrics for fit in fits]


def test_the_halves_of_a_pair_share_no_example(encoded: tuple[Vocabulary, SparseExamples]) -> None:
    rows = encoded[1].training()
    found = [set(half(rows, i, seed=1).ids) for i in range(5)]
    for one, other in (found[:2], found[2:4]):
        assert one.isdisjoint(other)
        assert one | other == set(rows.ids)
    assert found[0] != found[2] != found[4]
    assert [set(half(rows, i, seed=1).ids) for i in range(5)] == found


def test_the_halves_of_a_pair_share_no_group(encoded: tuple[Vocabulary, SparseExamples]) -> None:
    rows = encoded[1].training()
    rows = replace(rows, groups=(np.arange(len(rows)) % 21).astype(np.uint64))
    one, other = (half(rows, i, seed=1) for i in range(2))
    assert set(one.groups).isdisjoint(other.groups)
    assert set(one.ids) | set(other.ids) == set(rows.ids)
    assert len(one) + len(other) == len(rows)


def test_a_fit_without_room_in_half_of_the_examples_has_no_replicas(
    conf: Dataset, encoded: tuple[Vocabulary, SparseExamples], tracker: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    vocabulary, examples = encoded
    (fit,) = fit_all(["pca"], conf, vocabulary, examples, tracker).fits
    caplog.set_level("INFO")
    few = replace(fit, method="embedding", dimension=len(examples.training()) // 2)
    (found,) = replicated(conf, [few], vocabulary, examples, tracker)
    assert found.metrics == few.metrics
    assert "no room for its D" in caplog.text
