"""Which column is proposed to be predicted."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from pipeline.errors import PipelineError

RNG = random.Random(3)
N = 400


def machines(**columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "maker": RNG.choices(["Ace", "Best", "Core"], k=N),
            "site": RNG.choices(["north", "south", "east", "west"], k=N),
            "speed": [RNG.gauss(5, 3) for _ in range(N)],
            "heat": [RNG.gauss(300, 3) for _ in range(N)],
            **columns,
        }
    )


@pytest.mark.parametrize("values", [["yes", "no"], [0, 1], ["<=50K", ">50K"]])
def test_a_last_column_of_two_values_comes_before_the_last_one_of_numbers(
    values: list[Any], propose: Callable[..., dict[str, Any]]
) -> None:
    conf = propose("machines.csv", machines(broke=RNG.choices(values, k=N)).write_csv())
    assert conf["task"] == {"kind": "classification", "target": "broke", "dense": ["speed", "heat"]}
    assert "# or: heat" in conf["text"]


def test_a_first_column_of_0_and_1_is_predicted_and_one_of_texts_or_of_a_trait_is_named_or_not(
    propose: Callable[..., dict[str, Any]],
) -> None:
    def target(name: str, values: list[Any]) -> tuple[str, bool]:
        frame = machines().select(pl.Series(name, RNG.choices(values, k=N)), pl.all())
        conf = propose("machines.csv", frame.write_csv())
        return conf["task"]["target"], f"# or: {name}" in conf["text"]

    assert target("broke", [0, 1]) == ("broke", False)
    assert target("broke", ["yes", "no"]) == ("heat", True)
    assert target("sex", [0, 1]) == ("heat", False)


def test_a_sentence_with_a_word_of_time_says_no_time(propose: Callable[..., dict[str, Any]]) -> None:
    def task(name: str) -> tuple[str, str]:
        conf = propose("machines.csv", machines(**{name: RNG.choices(["yes", "no"], k=N)}).write_csv())
        return conf["task"]["target"], conf["description"]

    assert task("year") == ("heat", "What do maker, site, year say about heat?")
    name = "Will you stay next year?"
    assert task(name) == (name, "What do maker, site say about Will you stay next year?")


def test_a_number_of_few_values_is_named_where_nothing_is_predicted(propose: Callable[..., dict[str, Any]]) -> None:
    stays = machines().select("maker", "site", stars=pl.Series(RNG.choices(range(1, 6), k=N)))
    conf = propose("stays.csv", stays.with_columns(rating=pl.Series(RNG.choices(range(1, 11), k=N))).write_csv())
    assert conf["task"] == {"kind": "missing_tokens"}
    assert "# or: {kind: classification, target: rating}\n" in conf["text"]


def test_one_of_many_columns_of_two_values_is_nothing_special(propose: Callable[..., dict[str, Any]]) -> None:
    marks = {f"mark {letter}": RNG.choices(["yes", "no"], k=N) for letter in "abcdef"}
    assert propose("marks.csv", machines(**marks).write_csv())["task"]["target"] == "heat"


@pytest.mark.parametrize("name", ["status", "broke"])
def test_what_hardly_varies_is_not_predicted(name: str, propose: Callable[..., dict[str, Any]]) -> None:
    frame = machines().select(pl.Series(name, ["as ever"] * (N - 9) + ["else"] * 9), pl.all())
    for columns in (frame, frame.select(*frame.columns[1:], name)):
        assert propose("machines.csv", columns.write_csv())["task"]["target"] == "heat"
    frame = frame.with_columns(pl.Series(name, ["as ever"] * (N - 10) + ["else"] * 10))
    assert propose("machines.csv", frame.select(*frame.columns[1:], name).write_csv())["task"]["target"] == name


@pytest.mark.parametrize("name", ["Machine failure", "heart_disease", "blue_win", "subscribed", "y", "readmitted"])
def test_names_of_what_happens_are_names_of_classes(name: str, propose: Callable[..., dict[str, Any]]) -> None:
    frame = machines().select(pl.Series(name, RNG.choices(["no", "yes"], k=N)), pl.all())
    conf = propose("machines.csv", frame.write_csv())
    assert (conf["task"]["kind"], conf["task"]["target"]) == ("classification", name)


def test_of_a_name_that_is_surely_one_of_classes_many_may_be(propose: Callable[..., dict[str, Any]]) -> None:
    words = [f"word{i}" for i in range(50)]
    frame = pl.DataFrame({"text": [" ".join(RNG.choices(words, k=9)) for _ in range(2_000)]})

    def task(n_classes: int) -> dict[str, Any]:
        labels = pl.Series("label", [f"class {i % n_classes}" for i in range(2_000)])
        conf = propose("texts.csv", frame.with_columns(labels).write_csv())
        assert conf["dimensions"][-2:] == [8, 32]
        return dict(conf["task"])

    assert task(120) == {"kind": "classification", "target": "label"}
    assert task(500) == {"kind": "missing_tokens"}  # four rows of each tell nothing


def test_a_few_values_beside_texts_alone_are_classes_whatever_their_name(
    propose: Callable[..., dict[str, Any]],
) -> None:
    def task(**columns: list[Any]) -> dict[str, Any]:
        texts = [" ".join(RNG.choices([f"word{i}" for i in range(50)], k=9)) for _ in range(N)]
        return dict(propose("mails.csv", pl.DataFrame({**columns, "v2": texts}).write_csv())["task"])

    kinds = RNG.choices(["ham", "spam"], k=N)
    assert task(v1=kinds) == {"kind": "classification", "target": "v1"}
    assert task(id=list(range(N)), v1=kinds) == {"kind": "classification", "target": "v1"}
    for name, values in (("source", kinds), ("v1", [f"author {i % 20}" for i in range(N)])):
        assert task(**{name: values}) == {"kind": "missing_tokens"}


@pytest.mark.parametrize(
    ("name", "number", "has_a_logarithm"),
    [
        ("weight", lambda: RNG.lognormvariate(3, 1), True),
        ("price", lambda: RNG.uniform(1, 100), True),
        ("humidity", lambda: RNG.uniform(1, 100), False),
        ("solved_percent", lambda: 100 * RNG.betavariate(5, 2), False),
        ("height", lambda: RNG.gauss(100, 20), False),
    ],
)
def test_a_logarithm_is_for_what_lies_farther_above_its_middle_and_for_money(
    name: str, number: Callable[[], float], has_a_logarithm: bool, propose: Callable[..., dict[str, Any]]
) -> None:
    values = [max(number(), 0.1) for _ in range(N)]
    conf = propose("machines.csv", machines(**{name: values}).write_csv())
    assert conf["task"]["target"] == name
    assert conf["task"].get("log", True) == has_a_logarithm


@pytest.mark.parametrize("name", ["spam", "attrition", "is_cancelled", "prognosis"])
def test_a_column_that_is_named_for_what_is_predicted_is_none_of_the_marks(
    name: str, propose: Callable[..., dict[str, Any]]
) -> None:
    marks = {f"has_{word}": RNG.choices([0, 1], [8, 2], k=N) for word in "abcdefghijkl"}
    conf = propose("mails.csv", pl.DataFrame({name: RNG.choices([0, 1], [9, 1], k=N), **marks}).write_csv())
    assert conf["task"] == {"kind": "classification", "target": name}
    assert conf["tokens"] == [{"kind": "indicators", "columns": [*marks]}]


@pytest.mark.parametrize(("survived", "alive"), [([0, 1], ["no", "yes"]), (["gone", "safe", "lost"], [10, 20, 30])])
def test_a_column_that_says_the_target_in_other_words_is_left_out(
    survived: list[Any], alive: list[Any], propose: Callable[..., dict[str, Any]]
) -> None:
    drawn = [RNG.randrange(len(alive)) for _ in range(N)]
    said = machines(alive=[alive[i] if RNG.random() > 0.1 else None for i in drawn])
    frame = said.with_columns(survived=pl.Series([survived[i] for i in drawn]))
    conf = propose("people.csv", frame.write_csv())
    assert conf["task"] == {"kind": "classification", "target": "survived", "dense": ["speed", "heat"]}
    assert conf["tokens"] == [{"kind": "value", "columns": ["maker", "site"]}]
    assert "; alive would give it away" in conf["text"]
    almost = frame.with_columns(alive=pl.Series([alive[i - (RNG.random() < 0.1)] for i in drawn]))
    assert "give it away" not in propose("people.csv", almost.write_csv())["text"]


def test_what_else_could_be_predicted_is_another_column(propose: Callable[..., dict[str, Any]]) -> None:
    drawn = [RNG.randrange(2, 30) for _ in range(N)]
    conf = propose("people.csv", machines(income=drawn).write_csv())
    assert conf["task"]["target"] == "income"
    assert "# or: income" not in conf["text"]


def test_beside_texts_a_column_of_classes_comes_before_one_of_numbers(propose: Callable[..., dict[str, Any]]) -> None:
    """Neither has a name of something to predict, and the numbers stand first."""
    words = [f"w{i}" for i in range(40)]
    tickets = pl.DataFrame(
        {
            "text": [" ".join(RNG.choices(words, k=6)) for _ in range(N)],
            "n0": [round(RNG.gauss(50, 10), 1) for _ in range(N)],
            "kind": RNG.choices(["fruit", "tool", "game"], k=N),
        }
    )
    conf = propose("tickets.csv", tickets.write_csv())
    assert conf["task"] == {"kind": "missing_tokens"}
    assert "# or: {kind: classification, target: kind}" in conf["text"]


def test_the_price_of_the_sale_comes_before_other_prices(propose: Callable[..., dict[str, Any]]) -> None:
    prices = {name: [RNG.uniform(90, 900) for _ in range(N)] for name in ("FirstPrice", "SalePrice")}
    assert propose("homes.csv", machines(**prices).write_csv())["task"]["target"] == "SalePrice"


def test_one_of_two_years_at_an_end_is_not_predicted(propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose("machines.csv", machines(year=RNG.choices([1992, 1998], k=N)).write_csv())
    assert conf["task"]["target"] == "heat"


def test_a_column_of_which_each_value_has_one_class_is_left_out(propose: Callable[..., dict[str, Any]]) -> None:
    drawn = [RNG.randrange(5) for _ in range(N)]
    causes = ["none", "fever", "fall", "NA", "age"]
    frame = machines(cause=[causes[i] for i in drawn], died=[int(i > 0) for i in drawn])
    conf = propose("people.csv", frame.write_csv())
    assert conf["tokens"] == [{"kind": "value", "columns": ["maker", "site"]}]
    assert "; cause would give it away" in conf["text"]
    one = frame.with_columns(
        pl.Series("cause", ["none", *frame["cause"][1:]]), pl.Series("died", [1, *frame["died"][1:]])
    )
    assert "cause" in propose("people.csv", one.write_csv())["tokens"][0]["columns"]
    rare = machines(cause=["flood", *["none"] * (N // 2), *["rain"] * (N // 2 - 1)], died=[1, *[0] * (N - 1)])
    assert "cause" in propose("people.csv", rare.write_csv())["tokens"][0]["columns"]


def test_a_column_is_left_out_only_where_values_repeat(propose: Callable[..., dict[str, Any]]) -> None:
    prices = RNG.sample([100.5 + i for i in range(N)], N)
    conf = propose("homes.csv", machines(age=[price * 7 % 401 for price in prices], price=prices).write_csv())
    assert (conf["task"]["target"], conf["task"]["dense"]) == ("price", ["speed", "heat", "age"])


@pytest.mark.parametrize("made", [lambda price: price / 50, lambda price: -(price**0.5), lambda price: f"{price:.1e}"])
def test_a_number_that_rises_or_falls_wherever_the_target_does_is_left_out(
    made: Callable[[float], Any], propose: Callable[..., dict[str, Any]]
) -> None:
    prices = [100 * 1.06 ** RNG.randrange(100) + RNG.random() / 10 for _ in range(N)]
    wear = [made(price) for price in prices]
    is_rounded = isinstance(wear[0], str)  # so far that many prices are the same
    conf = propose("homes.csv", machines(wear=wear, year=prices, price=prices).write_csv())
    assert conf["task"]["dense"] == ["speed", "heat", *["wear"] * is_rounded, "year"]
    assert ("; wear would give it away" in conf["text"]) is not is_rounded
    noisy = [-price * RNG.uniform(0.9, 1.1) for price in prices]
    assert "wear" in propose("homes.csv", machines(wear=noisy, price=prices).write_csv())["task"]["dense"]


@pytest.mark.parametrize("name", ["late_2y", "pos_y"])
def test_a_letter_in_a_name_names_no_target(name: str, propose: Callable[..., dict[str, Any]]) -> None:
    late = pl.Series(name, RNG.choices(range(4), k=N))
    assert propose("machines.csv", machines().select(late, pl.all()).write_csv())["task"]["target"] == "heat"


@pytest.mark.parametrize(
    ("name", "n_places", "is_token"), [("zipcode", 70, True), ("PLZ", 20, True), ("zip", 300, False)]
)
def test_numbers_of_places_are_tokens_where_each_has_rows_enough(
    name: str, n_places: int, is_token: bool, propose: Callable[..., dict[str, Any]]
) -> None:
    places = pl.Series(name, [98_001 + 7 * RNG.randrange(n_places) for _ in range(1_000)])
    style = pl.Series("style", RNG.choices(["flat", "house"], k=1_000))
    price = pl.Series("price", [RNG.lognormvariate(6, 1) for _ in range(1_000)])
    conf = propose("homes.csv", pl.DataFrame([places, style, price]).write_csv())
    assert conf["task"] == {"kind": "regression", "target": "price"}
    assert conf["tokens"] == [{"kind": "value", "columns": [name, "style"] if is_token else ["style"]}]


def test_ids_and_numbers_of_rows_are_neither_predicted_nor_learned_from(propose: Callable[..., dict[str, Any]]) -> None:
    n = RNG.sample(range(1_000_000), N)
    ids = {"countycode": n, "subject": [i // 5 for i in n], "schoolid3": [i // 7 for i in n]}
    frame = machines(paid=[i // 9 for i in n], **ids)
    header, *rows = frame.write_csv().strip().split("\n")
    conf = propose("machines.csv", "\n".join([f",{header}", *(f"{i},{row}" for i, row in zip(n, rows, strict=True))]))
    assert conf["task"] == {"kind": "regression", "target": "paid", "log": False, "dense": ["speed", "heat"]}


def test_a_few_kinds_behind_numbers_alone_are_classes_and_no_tokens(propose: Callable[..., dict[str, Any]]) -> None:
    numbers = {name: [RNG.gauss(5, 3) for _ in range(N)] for name in ("Na", "Mg", "Al", "Si")}
    rows = pl.DataFrame({**numbers, "type": RNG.choices(["window", "bottle", "lamp"], k=N)})
    with pytest.raises(PipelineError, match="beside 'type', which could be predicted, no column holds"):
        propose("glass.csv", rows.write_csv())
    assert propose("glass.csv", rows.drop("Na", "Mg").write_csv())["task"]["target"] == "Si"
    with pytest.raises(PipelineError, match="no column holds words"):
        propose("names.csv", "name\n" + "\n".join(f"glass {i}" for i in range(50)))


@pytest.mark.parametrize("name", ["salary", "income"])
def test_where_someone_works_is_no_class(name: str, propose: Callable[..., dict[str, Any]]) -> None:
    work = RNG.choices(["Private", "State", "None"], k=N)
    rows = machines(**{name: RNG.choices(["<=50K", ">50K"], k=N)}).select(pl.Series("workclass", work), pl.all())
    assert propose("adults.csv", rows.write_csv())["task"]["target"] == name


def test_of_several_costs_the_total_is_predicted(propose: Callable[..., dict[str, Any]]) -> None:
    costs = {name: [RNG.expovariate(0.01) for _ in range(N)] for name in ("Cost Other", "Cost Total $")}
    assert propose("strikes.csv", machines(**costs).write_csv())["task"]["target"] == "Cost Total $"


def test_a_column_of_two_texts_at_an_end_is_none_of_the_marks_of_a_wide_table(
    propose: Callable[..., dict[str, Any]],
) -> None:
    marks = {f"has_{word}": RNG.choices([0, 1], [8, 2], k=N) for word in "abcdefghijkl"}
    sure = {"insured": RNG.choices(["No", "Yes"], [8, 2], k=N)}
    conf = propose("cars.csv", pl.DataFrame({**marks, **sure}).write_csv())
    assert conf["task"] == {"kind": "classification", "target": "insured"}
    said = {name: ["Yes" if mark else "No" for mark in column] for name, column in marks.items()}
    assert propose("cars.csv", pl.DataFrame({**said, **sure}).write_csv())["task"] == {"kind": "missing_tokens"}


def test_names_of_rows_hide_no_target_and_texts_do(propose: Callable[..., dict[str, Any]]) -> None:
    names = [f"{RNG.choice(['Ann', 'Bob', 'Cy'])} {RNG.choice(['Lee', 'Ray'])}{i}" for i in range(N)]
    conf = propose("people.csv", machines(name=names, wear=[RNG.random() for _ in range(N)]).write_csv())
    assert conf["task"]["target"] == "wear"
    texts = [
        f"{name} has been here in {word}" for name, word in zip(names, RNG.choices(["May", "June"], k=N), strict=True)
    ]
    conf = propose("people.csv", machines(name=texts, wear=[RNG.random() for _ in range(N)]).write_csv())
    assert conf["task"] == {"kind": "missing_tokens"}


def test_the_only_column_of_categories_is_predicted_from_codes(propose: Callable[..., dict[str, Any]]) -> None:
    answers = {f"q{i}": RNG.choices(range(1, 6), k=N) for i in range(4)}
    frame = pl.DataFrame({"vote": RNG.choices(["left", "middle", "right"], k=N), **answers})
    conf = propose("votes.csv", frame.write_csv())
    assert conf["task"] == {"kind": "classification", "target": "vote"}
    assert conf["tokens"] == [{"kind": "value", "columns": [*answers]}]
