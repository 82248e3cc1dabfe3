"""Rows that could be pairs of an example and a token, or be about something that is to be predicted."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RNG = random.Random(4)
N = 1_500
STAYS = pl.DataFrame(
    {
        "stay_id": range(100_000, 100_000 + N),
        "patient_id": RNG.choices(range(5_000, 5_300), k=N),
        "diagnosis": [f"{RNG.choice('EIJ')}{RNG.randrange(10, 99)}" for _ in range(N)],
        "drug": RNG.choices(["insulin", "aspirin", "none"], k=N),
    }
)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("outcome", ["died", "alive"], "classification"),
        ("readmitted", ["yes", "no"], "classification"),
        ("cost", [float(i) for i in range(50, 3_000)], "regression"),
    ],
)
def test_a_named_target_of_rows_with_ids_comes_before_a_pair(
    name: str, values: list[Any], kind: str, propose: Callable[..., dict[str, Any]]
) -> None:
    conf = propose("stays.csv", STAYS.with_columns(pl.Series(name, RNG.choices(values, k=N))).write_csv())
    assert conf["task"] == {"kind": kind, "target": name}
    assert conf["tokens"] == [{"kind": "value", "columns": ["diagnosis", "drug"]}]
    assert "example" not in conf
    assert conf["split"]["group"] == "patient_id"
    assert "# or: {kind: missing_tokens}, with diagnosis as the tokens of `example: patient_id`" in conf["text"]


def test_what_an_example_has_once_could_be_predicted_of_its_list(propose: Callable[..., dict[str, Any]]) -> None:
    outcomes = {patient: RNG.choice(["died", "alive"]) for patient in range(5_000, 5_300)}
    known = STAYS.with_columns(outcome=pl.Series([outcomes[patient] for patient in STAYS["patient_id"]]))
    conf = propose("stays.csv", known.write_csv())
    assert (conf["example"], conf["task"]) == ("patient_id", {"kind": "missing_tokens"})
    assert "# or: {kind: classification, target: outcome}\n" in conf["text"]


def test_what_is_bought_is_a_list_also_if_it_has_a_price(propose: Callable[..., dict[str, Any]]) -> None:
    def conf(price: list[int]) -> dict[str, Any]:
        columns = {"user": RNG.choices([f"u{i}" for i in range(150)], k=N), "item": items, "price": price}
        return propose("sold.csv", pl.DataFrame({"line": range(N), **columns}).write_csv())

    items = [f"i{RNG.randrange(90)}" for _ in range(N)]
    fixed, bargained = conf([100 + 7 * int(item[1:]) for item in items]), conf(RNG.choices(range(100, 900), k=N))
    assert fixed["example"] == bargained["example"] == "user"
    assert "target: price" not in fixed["text"]
    assert "# or: {kind: regression, target: price}, without `example`: of each row" in bargained["text"]


def test_lists_of_one_customer_stay_together(propose: Callable[..., dict[str, Any]]) -> None:
    goods = [f"good {i}" for i in range(40)]
    rows = [(f"o{order}", f"c{order % 80}", thing) for order in range(400) for thing in RNG.sample(goods, 4)]
    orders = pl.DataFrame(rows, ["order", "customer", "product"], orient="row")
    conf = propose("orders.csv", orders.write_csv())
    assert conf["example"] == "order"
    assert conf["split"] == {"folds": 5, "group": "customer"}
    assert "the examples of each customer, 5.0 on average" in conf["text"]
    varies = orders.with_columns(customer=pl.Series(RNG.choices([f"c{i}" for i in range(80)], k=orders.height)))
    assert "group" not in propose("orders.csv", varies.write_csv())["split"]


@pytest.mark.parametrize("n_others", [1, 8])
def test_what_is_measured_is_no_example(n_others: int, propose: Callable[..., dict[str, Any]]) -> None:
    """A blood pressure is a whole number of many values, as ids are: it is missing, or one of many columns."""
    seen = {
        "pressure": [None if i % 20 == 0 and n_others == 1 else RNG.randrange(90, 190) for i in range(N)],
        "birthplace": [f"P{RNG.randrange(50)}" for _ in range(N)],
        **{f"grade_{i}": [RNG.gauss(0, 1) for _ in range(N)] for i in range(n_others)},
    }
    conf = propose("seen.csv", pl.DataFrame(seen).write_csv())
    assert conf["task"]["kind"] == "regression"
    assert "example" not in conf


@pytest.mark.parametrize("name", ["user_id", "reader"])
def test_ids_are_examples_also_of_a_wide_table(name: str, propose: Callable[..., dict[str, Any]]) -> None:
    read = {
        name: [RNG.randrange(1, 300) for _ in range(N)],
        "book": [f"b{RNG.randrange(80)}" for _ in range(N)],
        **{f"grade_{i}": [RNG.gauss(0, 1) for _ in range(N)] for i in range(8)},
    }
    assert propose("read.csv", pl.DataFrame(read).write_csv())["example"] == name


def test_amounts_and_ids_of_groups_are_no_tokens_and_ids_no_numbers_to_learn_from(
    propose: Callable[..., dict[str, Any]],
) -> None:
    codes = [f"{letter}{i}" for letter in "EIJ" for i in range(10, 30)]
    stays = STAYS.select(
        "stay_id",
        patient_nbr="patient_id",
        age=pl.Series(RNG.choices(range(18, 95), k=N)),
        codes=pl.Series([";".join(RNG.sample(codes, RNG.randrange(2, 7))) for _ in range(N)]),
        ward=pl.Series(RNG.choices(["north", "south"], k=N)),
        readmitted=pl.Series(RNG.choices(["yes", "no"], k=N)),
    )
    conf = propose("stays.csv", stays.write_csv())
    assert conf["task"] == {"kind": "classification", "target": "readmitted", "dense": ["age"]}
    assert [one["columns"] for one in conf["tokens"]] == ["codes", ["ward"]]
    assert conf["split"]["group"] == "patient_nbr"
    assert "with age" not in conf["text"]
