from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets import checks
from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.embedding import Embedding
from pipeline.examples.encoding import encode
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.experiment.tracking import Tracker
from pipeline.records.ingest import ingest
from pipeline.schemas import PARTS
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.tasks.regression import Regression
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from


def by_name(results: list[dg.AssetCheckResult]) -> Mapping[str | None, dg.AssetCheckResult]:
    return {result.check_name: result for result in results}


def test_a_vocabulary_that_drifts_warns() -> None:
    before = Vocabulary.of({f"m{i}": 10 for i in range(100)})
    same = Vocabulary.of({f"m{i}": 20 for i in range(100)})
    other = Vocabulary.of({f"m{i}": 10 for i in range(50, 150)})
    assert by_name(checks.of_vocabulary(same, before))["drift"].passed
    assert by_name(checks.of_vocabulary(same, None))["drift"].passed
    drifted = by_name(checks.of_vocabulary(other, before))["drift"]
    assert (drifted.passed, drifted.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert drifted.metadata["tokens added"].value == 50
    assert drifted.metadata["distance"].value == pytest.approx(0.5)


def test_a_lost_token_is_an_error(movies: Dataset, tmp_path: Path) -> None:
    records = ingest(movies, tmp_path / "conf", tmp_path / "read").frame
    _, examples = encoded_from(records, movies)
    assert all(result.passed for result in checks.of_examples(examples))
    more = replace(examples, about={**examples.about, "pairs": examples.about["pairs"] + 1})
    lost = by_name(checks.of_examples(more))["no_token_lost"]
    assert (lost.passed, lost.severity) == (False, dg.AssetCheckSeverity.ERROR)


def test_examples_whose_tokens_are_hardly_known_warn(movies: Dataset, tmp_path: Path) -> None:
    records = ingest(movies, tmp_path / "conf", tmp_path / "read").frame
    rare = encode(records, Vocabulary.of({"war-00": 1}), movies)
    found = by_name(checks.of_examples(rare))["tokens_known"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.metadata["without a known token"].value == rare.n_empty
    nothing_left_out = replace(rare, about={**rare.about, "unknown_tokens": 0})
    assert by_name(checks.of_examples(nothing_left_out))["tokens_known"].passed


@pytest.mark.parametrize(("heavy", "drowns"), [(20.0, False), (1e12, True)])
def test_a_training_example_that_drowns_the_others_warns(
    heavy: float, drowns: bool, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    homes = homes.model_copy(update={"example": "id", "weight": "stars"})
    records = priced_words.with_row_index("id").with_columns(stars=pl.lit(1.0))
    parts = encoded_from(records, homes)[1].frame
    at = {part: parts.filter(split=part)["example"][-1] for part in ("train", "test")}
    for part in ("train", "test"):  # nothing is learned from a held-out one
        stars = pl.when(pl.col("id") == int(at[part])).then(heavy).otherwise("stars")
        _, examples = encoded_from(records.with_columns(stars=stars), homes)
        found = by_name(checks.of_examples(examples))["no_example_drowns_others"]
        assert (found.passed, found.severity) == (not drowns or part == "test", dg.AssetCheckSeverity.WARN)
        if part == "train":
            assert found.metadata["the heaviest"].value == at[part]
            assert (found.metadata["its share"].value == 1) == drowns


@pytest.mark.parametrize("split", [{}, {"folds": 5}, {"column": "part"}])
def test_few_examples_of_usual_weights_do_not_drown_each_other(split: dict[str, Any], movies: Dataset) -> None:
    rows = [
        {"user": f"u{i}", "movie": f"m{j}", "title": "", "part": part} for i in range(8) for j, part in enumerate(PARTS)
    ]
    stars = pl.DataFrame(rows).with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    movies = movies.model_copy(update={"weight": "stars", "split": Split(**split)})
    _, examples = encoded_from(stars, movies)
    assert by_name(checks.of_examples(examples))["no_example_drowns_others"].passed
    assert checks.heaviest_of(examples).share > 0.1


def test_fits_that_learned_nothing_are_seen(tmp_path: Path, fresh_database: Callable[[Path], str]) -> None:
    tracker = Tracker(fresh_database(tmp_path), tmp_path / "artifacts", "movies")
    fits = []
    for d, losses, place in ((2, [3.0, 2.0], 1.0), (3, [2.0, 2.5], np.nan)):
        with tracker.run(f"embedding D={d}", {}, {}) as run:
            for epoch, loss in enumerate(losses, 1):
                run.log_metrics({"train_loss": loss}, epoch)
            (tmp_path / str(d)).mkdir()
            Embedding(Vocabulary.of({"a": 1}), np.full((1, d), place, np.float32)).save(
                tmp_path / str(d) / "embedding.parquet"
            )
            run.log_folder(tmp_path / str(d))
        fits.append(Fit("movies", "embedding", d, run.run_id, run.experiment_id, False, run.metrics))
    good, bad = (by_name(checks.of_fits("embedding", [fit], tracker)) for fit in fits)
    assert all(result.passed for result in good.values())
    assert not bad["finite"].passed
    assert (bad["loss_went_down"].passed, bad["loss_went_down"].severity) == (False, dg.AssetCheckSeverity.WARN)


def test_neighbours_that_do_not_hold_warn() -> None:
    def fit(method: str, dimension: int, **metrics: float) -> Fit:
        return Fit("films", method, dimension, "r", "1", False, {"fit_seconds": 1.0, **metrics})

    few, many, pca = (
        fit("embedding", 2, stability=0.05),
        fit("embedding", 8, stability=0.3),
        fit("pca", 8, stability=0.9),
    )
    (holds,), (fails,), (none,) = (checks.of_stability(fits) for fits in ([few, many], [few, pca], [fit("pca", 8)]))
    assert holds.passed
    assert not fails.passed
    assert fails.severity == dg.AssetCheckSeverity.WARN
    assert none.passed


def test_errors_in_a_tiny_unit_are_told_in_digits_that_are_not_0() -> None:
    target = np.random.default_rng(0).uniform(1e-9, 9e-9, 40)
    fits = [Fit("rates", method, 2, method, "1", False, {"fit_seconds": 1.0}) for method in ("embedding", "pca")]
    evaluated = [
        pl.DataFrame({"example": [f"e{i:02d}" for i in range(40)], "target": target, "predicted": target + error})
        for error in (1e-10, 2e-9)
    ]
    task = Regression(kind="regression", target="rate", log=False)
    (better,) = checks.of_comparison(Comparison.of(fits, 100, task, {"test": evaluated}))
    assert str(better.metadata["embedding D=2"].value).startswith("better -0.00000000190 [-0.00000000190, -0.0000000")


def test_a_learned_embedding_that_is_not_better_than_pca_warns() -> None:
    def comparison(recall: float) -> Comparison:
        metrics: dict[str, Any] = {"fit_seconds": 1.0, "test_recall_at_20": 0.5}
        fits = [Fit("movies", method, 2, method, "1", False, metrics) for method in ("embedding", "pca")]
        evaluated = [
            pl.DataFrame({"example": [f"u{i:02d}" for i in range(40)], "held_out": [5] * 40, "recall_at_20": values})
            for values in ([recall] * 40, [0.2] * 40)
        ]
        return Comparison.of(fits, 100, MissingTokens(kind="missing_tokens"), {"test": evaluated})

    (better,) = checks.of_comparison(comparison(0.6))
    (equal,) = checks.of_comparison(comparison(0.2))
    assert better.passed
    assert (equal.passed, equal.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "no difference shown" in str(equal.metadata["embedding D=2"].value)
