"""What was written when the class was known is left out."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RNG = random.Random()
N = 400


@pytest.fixture(autouse=True)
def _same_in_any_order() -> None:
    RNG.seed(11)


@pytest.fixture
def customers() -> pl.DataFrame:
    left = RNG.choices(["yes", "no"], k=N)
    return pl.DataFrame(
        {
            "plan": RNG.choices(["basic", "plus", "pro"], k=N),
            "months": [RNG.uniform(1, 60) for _ in range(N)],
            "churn": left,
        }
    )


def beside(customers: pl.DataFrame, some: list[Any]) -> list[Any]:
    """Values that only those have who left, and a tenth of them not even then."""
    return [RNG.choice(some) if left == "yes" and RNG.random() > 0.1 else None for left in customers["churn"]]


def test_what_only_one_class_has_is_left_out(customers: pl.DataFrame, propose: Callable[..., dict[str, Any]]) -> None:
    frame = customers.with_columns(
        pl.Series("reason", beside(customers, ["price", "service"])), pl.Series("stars", beside(customers, [1, 2, 3]))
    )
    conf = propose("customers.csv", frame.write_csv())
    assert conf["tokens"] == [{"kind": "value", "columns": ["plan"]}]
    assert conf["task"] == {"kind": "classification", "target": "churn", "dense": ["months"]}
    assert "reason, stars would give it away" in conf["text"]


def test_what_a_few_of_one_class_have_may_be_chance(propose: Callable[..., dict[str, Any]]) -> None:
    def columns(n: int) -> Any:
        """The columns of tokens where all of so many reasons are beside one class."""
        frame = pl.DataFrame(
            {
                "plan": RNG.choices(["basic", "plus", "pro"], k=60),
                "reason": [RNG.choice(["price", "service"]) if i < n else None for i in range(60)],
                "churn": ["yes"] * 30 + ["no"] * 30,
            }
        )
        return propose("customers.csv", frame.write_csv())["tokens"][0]["columns"]

    assert columns(19) == ["plan", "reason"]
    assert columns(21) == ["plan"]


def test_numbers_of_which_each_class_has_a_range_are_left_out(
    customers: pl.DataFrame, propose: Callable[..., dict[str, Any]]
) -> None:
    days = [RNG.uniform(90, 400) if left == "yes" else RNG.uniform(0, 80) for left in customers["churn"]]
    frame = customers.with_columns(idle=pl.Series(days))
    conf = propose("customers.csv", frame.write_csv())
    assert conf["task"]["dense"] == ["months"]
    assert "idle would give it away" in conf["text"]
    days[0] = 85.0 if customers["churn"][0] == "yes" else 95.0
    overlap = frame.with_columns(idle=pl.Series([*days[:-1], 200.0 if days[-1] < 90 else 10.0]))
    assert propose("customers.csv", overlap.write_csv())["task"]["dense"] == ["months", "idle"]


def test_when_somebody_left_is_not_to_be_predicted(
    customers: pl.DataFrame, propose: Callable[..., dict[str, Any]]
) -> None:
    when = pl.Series("churn_date", beside(customers, ["2025-01-01", "2025-02-01", "2025-03-01"]))
    conf = propose("customers.csv", customers.select(when, pl.all()).write_csv())
    assert conf["task"] == {"kind": "classification", "target": "churn", "dense": ["months"]}
    assert "churn_date" not in conf["text"]
