import numpy as np
import polars as pl
import pytest
from numpy.typing import ArrayLike

from pipeline.evaluation.metrics import measure
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.tasks.regression import Regression

PLAIN = Regression(kind="regression", target="price", log=False)
LOGGED = Regression(kind="regression", target="price")


def numbers(target: ArrayLike, predicted: ArrayLike) -> pl.DataFrame:
    target, predicted = np.asarray(target), np.asarray(predicted)
    return pl.DataFrame({"example": [f"e{i}" for i in range(len(target))], "target": target, "predicted": predicted})


def test_regression_metrics_by_hand() -> None:
    """Errors 0, 1 and 2: rmse sqrt(5/3), mae 1; the spread around the mean 2 is 1 + 0 + 1."""
    metrics = measure(PLAIN, numbers([1.0, 2.0, 3.0], [1.0, 3.0, 1.0]))
    assert metrics == pytest.approx({"rmse": (5 / 3) ** 0.5, "mae": 1.0, "r2": 1 - 5 / 2})


def test_log_metrics_are_those_of_the_logarithms() -> None:
    target, predicted = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0])
    metrics = measure(LOGGED, numbers(target, predicted))
    plain = measure(PLAIN, numbers(np.log(target), np.log(predicted)))
    assert (metrics["rmse_log"], metrics["r2_log"]) == pytest.approx((plain["rmse"], plain["r2"]))


def test_a_weight_counts_an_example_as_often_as_it_says() -> None:
    """Weights (2, 0, 1) are the same as the first example twice and the last one once."""
    ranked = pl.DataFrame({"example": ["a", "b", "c"], "recall_at_20": [0.5, 1.0, 0.2], "ndcg_at_20": [0.1, 0.2, 0.4]})
    ranking = MissingTokens(kind="missing_tokens")
    for task, scores in ((ranking, ranked), (LOGGED, numbers([1.0, 2.0, 4.0], [2.0, 2.0, 3.0]))):
        weighted = task.weighted_metrics(scores, np.array([[2.0, 0.0, 1.0]]))
        repeated = measure(task, scores[[0, 0, 2]])
        assert {name: values[0] for name, values in weighted.items()} == pytest.approx(repeated)


def test_what_a_token_adds_is_a_share_of_a_price_and_points_of_a_rating() -> None:
    assert (LOGGED.effect_text(0.043), PLAIN.effect_text(0.043), PLAIN.effect_text(-1234.4)) == (
        "+4.3%",
        "+0.043",
        "-1,234",
    )
