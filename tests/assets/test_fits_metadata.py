"""What the pages of many fits say: each row is short enough to be shown at once, and D is ordered as a number."""

import re
from typing import Any

import polars as pl

from assets.fits_metadata import of_fits, of_pages, of_replicas
from assets.metadata import AT_ONCE
from assets.resources import MLflow
from pipeline.evaluation.metrics import Metric
from pipeline.experiment.fits import Fit
from pipeline.vocabulary.vocabulary import Vocabulary

MLFLOW = MLflow("sqlite:////home/mlflow.db", "file:///home/artifacts", "http://127.0.0.1:5000", "http://127.0.0.1:3000")
DIMENSIONS = [128, 16, 2, 64, 1, 8, 32, 4, 3, 256, 512]
FITS = [
    Fit(
        "films",
        "pca",
        d,
        f"{d:032x}",
        "12",
        d == 2,
        {"test_rmse": 1000 / d, "test_rmse_low": 900 / d, "fit_seconds": d},
    )
    for d in DIMENSIONS
]
VOCABULARY = Vocabulary.of_frame(
    pl.DataFrame({"token": ["a"], "label": ["A"], "count": [1]}, schema_overrides={"count": pl.UInt32})
)


def test_stability_is_told_beside_what_chance_gives() -> None:
    fits = [Fit("films", "pca", 2, "0" * 32, "12", False, {"stability": 0.3, "replica_seconds": 1.0})]
    few, many = (of_replicas(fits, n_tokens, MLFLOW)["answer"] for n_tokens in (41, 4_000))
    assert (
        "agree on 30% of a token's nearest, in the median. Neighbours drawn at random would agree on 25%. Rely" in few
    )
    assert "in the median. Rely" in many


def read(rows: dict[str, Any], *names: str) -> str:
    return "\n".join(rows[name].value for name in names)


def test_a_link_to_each_run_and_page_is_shown_at_once_the_smallest_d_first() -> None:
    of_runs = of_fits(FITS, Metric("rmse", "error", higher_is_better=False), MLFLOW, VOCABULARY)
    for label, rows in (("runs", of_runs), ("pca", of_pages(FITS, {fit.name: True for fit in FITS}, MLFLOW))):
        names = [name for name in rows if name == label or name.startswith(f"{label}, ")]
        assert len(names) > 1
        assert all(len(rows[name].value) < AT_ONCE for name in names)
        found = re.findall(r"\[pca D=(\d+)\]\(http://127.0.0.1:5000/#/experiments/12/runs/(\w{32})", read(rows, *names))
        assert found == [(str(d), f"{d:032x}") for d in sorted(DIMENSIONS)]


def test_the_primary_metric_stands_there_for_each_fit_and_that_of_the_best_as_a_number() -> None:
    rows = of_fits(FITS, Metric("rmse", "error", higher_is_better=False), MLFLOW, VOCABULARY)
    assert rows["best rmse"] == 1.953
    assert re.findall(r"\| pca D=(\d+) \| ([\d.,]+)", rows["test_rmse"].value)[:3] == [
        ("1", "1,000"),
        ("2", "500.0"),
        ("3", "333.3"),
    ]
    assert rows["all metrics"].value.splitlines()[0].startswith("| metric | pca D=1 | pca D=2 |")
    assert "| fits | 11 |" in rows["facts"].value
    assert "| reused | 1 |" in rows["facts"].value


def test_fits_that_were_not_measured_are_told_without_a_metric() -> None:
    rows = of_fits(
        [Fit("films", "pca", 2, "0", "1", False, {"fit_seconds": 1.0})], Metric("rmse", ""), MLFLOW, VOCABULARY
    )
    assert not [name for name in rows if "rmse" in name]
    assert "| fit_seconds | 1.000 |" in rows["all metrics"].value
