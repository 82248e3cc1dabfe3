"""Columns of numbers with units, and columns that only look like them."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RNG = random.Random(8)
N = 400
WORDS = ("bright", "quiet", "large", "cosy", "new", "old", "green", "sunny", "balcony", "garage", "cellar", "garden")


def homes(**columns: Callable[[], str]) -> str:
    """A table of homes with a column of words, and columns of which each value is made anew, as CSV."""
    words = [" ".join(RNG.choices(WORDS, k=5)) for _ in range(N)]
    return pl.DataFrame(
        {"text": words, **{name: [made() for _ in range(N)] for name, made in columns.items()}}
    ).write_csv()


def area() -> str:
    return f"{RNG.randint(20, 220)} m²"


def test_numbers_with_units_are_features_and_what_is_predicted(propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose(
        "homes.csv",
        homes(
            area=area,
            rooms=lambda: f"{(n := RNG.randint(1, 9))} room{'s' * (n > 1)}",
            way=lambda: RNG.choice(["-", f"{RNG.randint(1, 90)},{RNG.randint(1, 9)}km"]),
            price=lambda: f"{RNG.randint(5, 90)},{RNG.randint(1, 9)} €/m²",
        ),
    )
    assert conf["task"]["target"] == "price"
    assert conf["task"]["dense"] == ["area", "rooms", "way"]
    units = conf["source"]["units"]
    assert units == {"area": "m²", "rooms": units["rooms"], "way": "km", "price": "€/m²"}
    assert units["rooms"] in ("room", "rooms")


@pytest.mark.parametrize("money", ["{:,} руб.", "{:,}円", "{:,} 元", "AED {:,}", "Rp {:,}"])
def test_money_is_known_by_its_signs_in_many_countries(money: str, propose: Callable[..., dict[str, Any]]) -> None:
    made = homes(area=lambda: f"{RNG.randint(20, 220)} кв.м", price=lambda: money.format(RNG.randint(900, 9_000)))
    conf = propose("homes.csv", made)
    assert conf["task"] == {"kind": "regression", "target": "price", "dense": ["area"]}
    assert conf["source"]["units"] == {"area": "кв.м"}


@pytest.mark.parametrize(
    "made",
    [
        lambda: f"{RNG.randint(1, 30)}{RNG.choice('ABCDEF')}",
        lambda: f"{RNG.randint(1, 300)}A",
        lambda: f"{RNG.randint(2, 6)}G",
        lambda: f"{RNG.randint(1, 30)} {RNG.choice('abc')}",
        lambda: f"{RNG.randint(35, 47)} EU",
        lambda: f"INV {RNG.randint(1, 999):03d}",
        lambda: f"{RNG.randint(1, 999):04d} kg",
        lambda: f"SW{RNG.randint(1, 20)}",
        lambda: f"{RNG.randint(10115, 14199)} Berlin",
        lambda: f"{RNG.randint(1, 31)} Jan",
        lambda: f"{RNG.choice([36, 60])} months",
        lambda: f"{RNG.randint(1, 90)} nord",
        lambda: RNG.choice(["500 ml", "1 l", "200 g", "2 l"]),
    ],
)
def test_what_may_be_a_name_stays_one(made: Callable[[], str], propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose("homes.csv", homes(code=made, price=lambda: f"{RNG.randint(100, 900)}.5"))
    assert "units" not in conf["source"]
    assert "code" not in conf["task"].get("dense", ())


@pytest.mark.parametrize(("some", "others"), [("{} kg", "{} g"), ("${}", "{} €")])
def test_numbers_with_several_units_are_left_out_with_a_sentence(
    some: str, others: str, propose: Callable[..., dict[str, Any]]
) -> None:
    made = homes(
        weight=lambda: RNG.choice([some, some, others]).format(RNG.randint(1, 900)),
        price=lambda: f"{RNG.randint(100, 900)}.5",
    )
    conf = propose("homes.csv", made)
    assert "dense" not in conf["task"]
    assert "# weight has numbers in " in conf["text"]


def test_units_of_columns_that_are_not_used_are_not_named(propose: Callable[..., dict[str, Any]]) -> None:
    rows = "user,film,length\n" + "".join(
        f"u{RNG.randrange(40)},f{RNG.randrange(30)},{RNG.randint(60, 200)} min\n" for _ in range(N)
    )
    assert "units" not in propose("views.csv", rows)["source"]
