"""Contests where the truth is known: PCA must fail and the learned embedding win, or there is no signal to find."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.examples.sparse_examples import HELD_OUT
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.recorded import load_scores
from pipeline.experiment.tracking import Tracker
from pipeline.views import tables
from tests.conftest import encoded_from

RANKED: dict[str, Any] = {
    "description": "Planted.",
    "example": "user",
    "tokens": [{"kind": "value", "columns": "item"}],
    "split": {"validation": 0.15, "test": 0.35},
    "task": {"kind": "missing_tokens", "fold_in": 0.5},
    "dimensions": [4],
    "baselines": [{"kind": "pca", "dimensions": [4]}, "popularity"],
}
PRICED: dict[str, Any] = {
    "description": "Planted.",
    "tokens": [{"kind": "words", "columns": "text"}],
    "split": {"validation": 0.15, "test": 0.35},
    "task": {"kind": "regression", "target": "price"},
    "dimensions": [3],
    "baselines": [{"kind": "pca", "dimensions": [3]}, "mean"],
}


@pytest.fixture
def contest(
    write_conf: Callable[..., Path], tmp_path: Path, fresh_database: Callable[[Path], str]
) -> Callable[..., Comparison]:
    """From records to the comparison of the learned embedding, PCA, and the baseline that ignores the example."""

    def make(settings: dict[str, Any], records: pl.DataFrame, methods: tuple[str, ...] = ("embedding",)) -> Comparison:
        conf: Dataset = load(write_conf("planted", settings, records))
        vocabulary, examples = encoded_from(records, conf)
        tracker = Tracker(fresh_database(tmp_path), tmp_path / "artifacts", "planted")
        every = [*methods, *(baseline.kind for baseline in conf.baselines)]
        fits = fit_all(every, conf, vocabulary, examples, tracker).fits
        scores = {part: load_scores(tracker, fits, part) for part in HELD_OUT}
        return Comparison.of(fits, len(vocabulary), conf.task, scores)

    return make


def test_pca_keeps_what_varies_most_and_misses_the_groups_of_rare_items(contest: Callable[..., Comparison]) -> None:
    """12 items, each of which a user has with probability 1/2; 8 groups of 6 rare items, and a user likes one group.

    A coin's variance is .25. A group's six items have .06 each and covariances of .03: .2 in all. The twelve coins come
    first, and PCA's four dimensions hold nothing but coins; what can be predicted are the rare items.
    """
    random = np.random.default_rng(1)
    rows = []
    for user in range(900):
        coins = [f"coin {i}" for i in range(12) if random.random() < 0.5]
        group = random.integers(8)
        liked = [f"group {group} item {i}" for i in range(6) if random.random() < 0.5]
        rows += [{"user": user, "item": item} for item in coins + liked]
    comparison = contest(RANKED, pl.DataFrame(rows))
    for metric in ("recall_at_20", "ndcg_at_20"):
        assert comparison.verdict("embedding D=4", "pca D=4", metric)["verdict"] == "better", tables.text(comparison)
    assert comparison.verdict("embedding D=4", "popularity", "recall_at_20")["low"] > 0.05
    assert comparison.verdict("pca D=4", "popularity", "recall_at_20")["verdict"] == "no difference shown"
    assert "No signal" not in tables.text(comparison)


def test_pca_keeps_the_frequent_words_and_misses_the_rare_ones_that_make_the_price(
    contest: Callable[..., Comparison],
) -> None:
    """30 frequent words say nothing about the price; 6 rare ones, each in one home of ten, say everything."""
    random = np.random.default_rng(2)
    worth = dict(
        zip(["castle", "tower", "moat", "ruin", "swamp", "noise"], [0.8, 0.6, 0.4, -0.4, -0.6, -0.8], strict=True)
    )
    rows = []
    for _ in range(1200):
        words = [f"common{i:02d}" for i in range(30) if random.random() < 0.5]
        rare = [word for word in worth if random.random() < 0.1]
        price = math.exp(12 + sum(worth[word] for word in rare) + random.normal(0, 0.1))
        rows.append({"text": " ".join(words + rare), "price": price})
    comparison = contest(PRICED, pl.DataFrame(rows))
    r2 = dict(comparison.frame.select("fit", "r2_log").iter_rows())
    assert comparison.verdict("embedding D=3", "pca D=3", "rmse_log")["verdict"] == "better"
    assert r2["embedding D=3"] > 0.8, tables.text(comparison)
    assert r2["pca D=3"] < 0.1, tables.text(comparison)


@pytest.mark.parametrize("task", ["missing tokens", "a number"])
def test_where_there_is_no_signal_the_comparison_says_so(task: str, contest: Callable[..., Comparison]) -> None:
    """Users have items by chance, popular ones more often; no word changes the price."""
    random = np.random.default_rng(3)
    if task == "missing tokens":
        popular = 0.5 / np.sqrt(np.arange(1, 61))
        rows = [
            {"user": user, "item": f"item {i}"}
            for user in range(600)
            for i in np.flatnonzero(random.random(60) < popular)
        ]
        comparison = contest(RANKED, pl.DataFrame(rows))
        verdict = comparison.verdict("embedding D=4", "popularity", "recall_at_20")
    else:
        rows = [
            {
                "text": " ".join(f"word{i}" for i in range(40) if random.random() < 0.3),
                "price": math.exp(random.normal(12, 0.5)),
            }
            for _ in range(600)
        ]
        comparison = contest(PRICED, pl.DataFrame(rows))
        verdict = comparison.verdict("embedding D=3", "mean", "rmse_log")
    assert verdict["verdict"] != "better"
    assert "No signal shown by " in tables.text(comparison)


def test_what_is_known_of_a_customer_s_orders_is_no_skill_with_another_customer(
    contest: Callable[..., Comparison],
) -> None:
    """Planted: each of 60 customers pays a price, and writes words, of their own, which say nothing of the others."""
    random = np.random.default_rng(6)
    customer = np.repeat(np.arange(60), 10)
    price = np.exp(random.normal(4, 0.5, 60))[customer] * np.exp(random.normal(0, 0.05, 600))
    words = random.integers(0, 40, (60, 3))[customer]
    orders = pl.DataFrame(
        {
            "customer": customer,
            "price": price,
            "text": [" ".join(f"word{word}" for word in of_order) for of_order in words],
        }
    ).sample(fraction=1, shuffle=True, seed=7)
    settings = PRICED | {"baselines": ["ridge", "mean"], "split": {"folds": 5}}
    looks_skilled, is_none = (
        contest(settings | {"split": split}, orders, ()).verdict("ridge", "mean", "rmse_log")
        for split in ({"folds": 5}, {"folds": 5, "group": "customer"})
    )
    assert looks_skilled["verdict"] == "better"
    assert is_none["verdict"] != "better"
