"""Shapes of data that people have, and the conf file that is proposed for each."""

import csv
import gzip
import io
import json
import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.errors import PipelineError
from pipeline.proposal.conf_file import proposed

RNG = random.Random(1)
RATINGS = [
    (user, item, RNG.choice([1, 2, 3, 4, 5]), 881_250_949 + RNG.randrange(10**7))
    for user in range(1, 121)
    for item in RNG.sample(range(1, 200), 25)
]
WORDS = (
    *("charming", "spacious", "cozy", "updated", "garage", "fireplace", "quiet", "corner", "lot", "brick", "views"),
    *("near", "school", "park", "roof"),
)
HOMES = [
    (
        i + 1000,
        " ".join(RNG.sample(WORDS, 7)).capitalize() + ".",
        RNG.randrange(1, 6),
        RNG.randrange(600, 4000) / 10,
        RNG.choice(["Ames", "Gilbert", "Nevada"]),
        RNG.randrange(90_000, 900_000),
    )
    for i in range(400)
]


def delimited(rows: list[Any], names: list[str] | None, separator: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows([names, *rows] if names else rows)
    return text.getvalue()


def german(number: float) -> str:
    return f"{number:,.2f}".translate({ord(","): ".", ord("."): ","})


def test_a_column_of_weights_is_taken_and_one_that_may_be_is_named(propose: Callable[..., dict[str, Any]]) -> None:
    rows = pl.DataFrame(RATINGS, schema=["user", "item", "weight", "time"], orient="row")
    conf = propose("pairs.parquet", rows.drop("time"))
    assert (conf["example"], conf["tokens"][0]["columns"], conf["weight"]) == ("user", "item", "weight")
    conf = propose("plays.parquet", rows.select("user", song="item", plays="weight"))
    assert "weight" not in conf
    assert "# weight: plays" in conf["text"]
    assert "weight" not in propose("odd.parquet", rows.select("user", "item", pl.col("weight") - 1))["text"]


def test_ratings_without_names_are_lists_of_items(propose: Callable[..., dict[str, Any]]) -> None:
    for name, separator in (("u.data", "\t"), ("ratings.dat", "::")):
        text = "\n".join(separator.join(map(str, row)) for row in RATINGS) + "\n"
        conf = propose(name, text.encode("latin-1"))
        assert conf["source"] == {
            "path": name,
            "format": "csv",
            "separator": separator,
            "columns": ["user", "item", "rating", "time"],
        }
        assert (conf["example"], conf["tokens"]) == ("user", [{"kind": "value", "columns": "item"}])
        assert conf["task"] == {"kind": "missing_tokens"}
        assert "# where: rating >= " in conf["text"]


def test_a_filter_of_what_people_like_leaves_something_out(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(user, item, rating) for user, item, rating, _ in RATINGS]

    def filtered(*stars: float) -> str:
        rated = [(user, item, stars[i % len(stars)]) for i, (user, item, _) in enumerate(rows)]
        text = str(propose("rated.csv", delimited(rated, ["user", "item", "stars"]))["text"])
        return "".join(line for line in text.splitlines() if "# where: " in line)

    assert "stars >= 4 " in filtered(1, 3, 4, 4, 5)
    assert "stars >= 3 " in filtered(1, 1, 1, 2, 3, 3, 5)
    assert filtered(1) == ""


def test_ratings_with_names_and_titles_are_lists_of_items_with_labels(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(user, item, f"Film {item}", rating, at) for user, item, rating, at in RATINGS]
    conf = propose("ratings.csv", delimited(rows, ["userId", "movieId", "title", "rating", "timestamp"]))
    assert conf["source"] == {"path": "ratings.csv"}
    assert conf["example"] == "userId"
    assert conf["tokens"] == [{"kind": "value", "columns": "movieId", "label": "title"}]


def test_what_several_tokens_share_is_no_label_of_theirs(propose: Callable[..., dict[str, Any]]) -> None:
    """An artist has several tracks; each article has a name of its own, if not a different one each."""
    rows = [(user, f"track {item}", f"artist {item % 9}", f"A{item}", f"Ding {item // 2 * 2 if item < 9 else item}")
            for user, item, *_ in RATINGS]  # fmt: skip
    names = ["user", "track", "artist_name", "Artikelnr", "Artikelbezeichnung"]
    conf = propose("plays.csv", delimited([row[:3] for row in rows], names[:3]))
    assert conf["tokens"] == [{"kind": "value", "columns": "track"}]
    conf = propose("sold.csv", delimited([(row[0], *row[3:]) for row in rows], [names[0], *names[3:]]))
    assert conf["tokens"] == [{"kind": "value", "columns": "Artikelnr", "label": "Artikelbezeichnung"}]


def test_a_table_of_users_items_and_weights_is_lists_of_items(propose: Callable[..., dict[str, Any]]) -> None:
    frame = pl.DataFrame(
        [(f"u{user}", f"i{item}", rating / 2) for user, item, rating, _ in RATINGS],
        schema=["user", "item", "weight"],
        orient="row",
    )
    conf = propose("weights.parquet", frame)
    assert (conf["example"], conf["tokens"][0]["columns"]) == ("user", "item")


@pytest.mark.parametrize(("name", "delimiter"), [("retail.dat", " "), ("baskets.txt", " "), ("groceries.csv", ",")])
def test_lines_of_items_are_lists(name: str, delimiter: str, propose: Callable[..., dict[str, Any]]) -> None:
    items = [f"item {i}" if delimiter == "," else str(i) for i in range(60)]
    lines = [delimiter.join(RNG.sample(items, RNG.randrange(1, 9))) for _ in range(300)]
    conf = propose(name, "\n".join(lines) + "\n")
    assert conf["source"] == {"path": name, "format": "lines"}
    assert conf["tokens"] == [{"kind": "items", "columns": "line", "delimiter": delimiter}]
    assert "example" not in conf


def test_places_of_one_list_are_tokens_alike(propose: Callable[..., dict[str, Any]]) -> None:
    goods = [f"good {i}" for i in range(40)]
    baskets = [RNG.sample(goods, RNG.randrange(2, 7)) for _ in range(300)]
    rows = [[len(basket), *basket, *[""] * (6 - len(basket))] for basket in baskets]
    names = [f"Item {i}" for i in range(1, 7)]
    conf = propose("baskets.csv", delimited(rows, ["Item(s)", *names]))
    assert conf["tokens"] == [{"kind": "value", "columns": names, "qualified": False}]
    assert conf["task"] == {"kind": "missing_tokens"}


def test_columns_with_numbers_in_their_names_are_no_list_if_they_hold_other_things(
    propose: Callable[..., dict[str, Any]],
) -> None:
    rows = [(f"red{RNG.randrange(9)}", f"big{RNG.randrange(9)}", RNG.randrange(100, 999)) for _ in range(300)]
    conf = propose("things.csv", delimited(rows, ["field_1", "field_2", "price"]))
    assert conf["tokens"] == [{"kind": "value", "columns": ["field_1", "field_2"]}]


@pytest.mark.parametrize(
    ("name", "separator", "head", "said"),
    [
        ("graph.txt", "\t", "# Nodes: 90\n# From\tTo\n", {"comment": "#", "separator": "\t"}),
        ("out.graph", " ", "% bip unweighted\n", {"comment": "%", "format": "csv", "separator": " "}),
        ("graph.edges", " ", "", {"format": "csv", "separator": " "}),
        ("graph.csv", ",", "source,target\n", {}),
    ],
)
def test_edges_of_a_graph_are_lists_of_what_each_node_leads_to(
    name: str, separator: str, head: str, said: dict[str, str], propose: Callable[..., dict[str, Any]]
) -> None:
    edges = [f"{node}{separator}{other}" for node in range(90) for other in RNG.sample(range(90), 9)]
    conf = propose(name, head + "\n".join(edges) + "\n")
    names = ["source", "target"] if name == "graph.csv" else ["user", "item"]
    told = said if name == "graph.csv" else {**said, "columns": names}
    assert conf["source"] == {"path": name, **told}
    assert (conf["example"], conf["tokens"]) == (names[0], [{"kind": "value", "columns": names[1]}])


def test_the_rows_of_a_sparse_matrix_are_lists_and_its_labels_classes(propose: Callable[..., dict[str, Any]]) -> None:
    lines = [
        f"{i % 15} " + " ".join(f"{item}:{RNG.random():.2f}" for item in sorted(RNG.sample(range(1, 80), 8)))
        for i in range(300)
    ]
    for name, told in (("news.svm", {}), ("news.txt", {"format": "svmlight"})):
        conf = propose(name, "\n".join(lines) + "\n")
        assert conf["source"] == {"path": name, **told}
        assert (conf["example"], conf["tokens"]) == ("row", [{"kind": "items", "columns": "items"}])
        assert conf["task"] == {"kind": "classification", "target": "label"}
        assert conf["dimensions"] == [8, 32]


def test_files_with_a_text_each_are_told_apart_by_their_folders(
    tmp_path: Path, propose: Callable[..., dict[str, Any]]
) -> None:
    for i in range(120):
        (tmp_path / "corpus" / f"mood{i % 3}").mkdir(parents=True, exist_ok=True)
        words = " and ".join(RNG.sample(WORDS, RNG.randrange(4, 9)))
        (tmp_path / "corpus" / f"mood{i % 3}" / f"{i}.txt").write_text(f"It is {words}.\nNo more.\n")
    conf = propose("corpus", None)
    assert conf["source"] == {"path": "corpus", "format": "documents"}
    assert (conf["example"], conf["tokens"]) == ("file", [{"kind": "words", "columns": "text"}])
    assert conf["task"] == {"kind": "classification", "target": "folder"}


def test_many_files_with_rows_are_one_table(tmp_path: Path, propose: Callable[..., dict[str, Any]]) -> None:
    (tmp_path / "sales").mkdir()
    for day in range(30):
        rows = [(f"u{RNG.randrange(40)}", f"i{RNG.randrange(60)}") for _ in range(20)]
        (tmp_path / "sales" / f"{day}.txt").write_text(delimited(rows, ["user", "item"], "\t"))
    conf = propose("sales", None)
    assert conf["source"] == {"path": "sales", "separator": "\t"}
    assert conf["example"] == "user"


def test_lists_in_json_are_examples_by_their_ids(propose: Callable[..., dict[str, Any]]) -> None:
    goods = [f"S{i:03}" for i in range(60)]
    conf = propose("baskets.json", json.dumps({f"u{i}": RNG.sample(goods, 6) for i in range(300)}, indent=1))
    assert (conf["example"], conf["tokens"]) == ("key", [{"kind": "items", "columns": "items"}])


def test_of_lists_of_objects_the_names_are_tokens_and_the_amounts_are_not(
    propose: Callable[..., dict[str, Any]],
) -> None:
    goods = [f"S{i:03}" for i in range(60)]
    orders = [
        {
            "order": {"id": i},
            "lines": [{"sku": sku, "n": RNG.randrange(1, 5), "price": 9.5} for sku in RNG.sample(goods, 4)],
        }
        for i in range(300)
    ]
    found = propose("orders.ndjson", "\n".join(map(json.dumps, orders)))
    assert found["tokens"] == [{"kind": "items", "columns": "lines.sku"}]


def test_homes_with_remarks_are_priced_by_their_words(propose: Callable[..., dict[str, Any]]) -> None:
    conf = propose("ads.csv", delimited(HOMES, ["listing_id", "remarks", "beds", "sqm", "city", "list_price"]))
    assert conf["task"] == {"kind": "regression", "target": "list_price", "dense": ["beds", "sqm"]}
    assert conf["tokens"] == [{"kind": "words", "columns": "remarks"}, {"kind": "value", "columns": ["city"]}]
    assert conf["split"] == {"folds": 5}


def test_a_german_file_is_read_with_its_encoding_and_decimal_commas(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [
        (text.replace("a", "ä"), german(area), stadt.replace("e", "ü"), f"{german(price)} EUR")
        for _, text, _, area, stadt, price in HOMES
    ]
    text = delimited(rows, ["Beschreibung", "Wohnfläche", "Stadt", "Preis"], ";")
    conf = propose("immobilien.csv", text.encode("latin-1"))
    assert conf["source"] == {"path": "immobilien.csv", "encoding": "windows-1252", "separator": ";"}
    assert conf["task"] == {"kind": "regression", "target": "Preis", "dense": ["Wohnfläche"]}


def test_listings_with_lists_and_addresses_are_priced_without_what_gives_the_price_away(
    propose: Callable[..., dict[str, Any]],
) -> None:
    rows = [
        (
            f"https://host/{i}",
            text,
            json.dumps(RNG.sample(["Wifi", "Oven", "Iron", "Heating"], 2)),
            f"${price:,.2f}",
            price * 30,
            "2025-06-12",
            RNG.choice(["t", "f"]),
        )
        for i, text, _, _, _, price in HOMES
    ]
    names = ["listing_url", "description", "amenities", "price", "estimated_revenue_l365d", "last_scraped", "instant"]
    conf = propose("listings.csv.gz", gzip.compress(delimited(rows, names).encode()))
    assert conf["task"] == {"kind": "regression", "target": "price"}
    assert [tokens["columns"] for tokens in conf["tokens"]] == ["description", "amenities", ["instant"]]


@pytest.mark.parametrize(("amount", "status"), [("amount", "status"), ("Betrag", "Kategorie")])
def test_a_class_with_a_telling_name_is_predicted(
    amount: str, status: str, propose: Callable[..., dict[str, Any]]
) -> None:
    rows = [
        (i, RNG.choice(["car", "home"]), RNG.randrange(1000, 9000), RNG.choice(["paid", "default"])) for i in range(400)
    ]
    conf = propose("loans.csv", delimited(rows, ["loan_id", "purpose", amount, status]))
    assert conf["task"]["kind"] == "classification"
    assert conf["task"]["target"] == status
    assert conf["tokens"] == [{"kind": "value", "columns": ["purpose"]}]


def test_codes_with_a_telling_name_are_classes(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(RNG.choice(["car", "home"]), RNG.randrange(1000, 9000), RNG.randrange(2)) for _ in range(400)]
    conf = propose("loans.csv", delimited(rows, ["purpose", "limit", "defaulted"]))
    assert conf["task"] == {"kind": "classification", "target": "defaulted", "dense": ["limit"]}


THINGS = [f"thing_{i}" for i in range(60)]


@pytest.mark.parametrize(("has", "has_not"), [("1", "0"), ("x", ""), ("3.5", "0.0"), ("true", "false"), ("Ja", "Nein")])
def test_of_a_wide_table_the_names_of_the_columns_are_tokens(
    has: str, has_not: str, propose: Callable[..., dict[str, Any]]
) -> None:
    rows = [(f"B{i:04d}", *(has if RNG.random() < 0.2 else has_not for _ in THINGS)) for i in range(400)]
    conf = propose("baskets.csv", delimited(rows, ["basket", *THINGS]))
    assert conf["example"] == "basket"
    assert conf["tokens"] == [{"kind": "indicators", "columns": THINGS}]
    assert conf["task"] == {"kind": "missing_tokens"}
    assert all(len(line) <= 120 for line in conf["text"].splitlines())


def test_what_a_wide_table_predicts_is_no_token(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [
        (*(RNG.choice([0, 0, 0, 1]) for _ in THINGS), RNG.choice(["north", "south"]), RNG.choice([0, 0, 1]))
        for _ in range(400)
    ]
    things = [THINGS[0], "price", "status", *THINGS[3:]]  # a table of the words of texts may have any of them
    conf = propose("habits.csv", delimited(rows, [*things, "region", "churn"]))
    assert conf["task"] == {"kind": "classification", "target": "churn"}
    assert conf["tokens"] == [
        {"kind": "indicators", "columns": things},
        {"kind": "value", "columns": ["region"]},
    ]


@pytest.mark.parametrize(
    ("column", "values", "otherwise"),
    [
        ("where", ["north", "south", "east"], "{kind: classification, target: where}"),
        ("height", [1.5, -2.25, 3.125, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5], "target: height, log: false}"),
    ],
)
def test_a_column_that_could_be_predicted_beside_texts_is_named(
    column: str, values: list[Any], otherwise: str, propose: Callable[..., dict[str, Any]]
) -> None:
    words = [f"word{i}" for i in range(50)]
    rows = [(" ".join(RNG.choices(words, k=9)), RNG.choice(values)) for _ in range(400)]
    conf = propose("notes.csv", delimited(rows, ["note", column]))
    assert conf["task"] == {"kind": "missing_tokens"}
    assert re.search(rf"# or: .*{re.escape(otherwise)}", conf["text"])


def test_what_was_read_is_told_where_nothing_could_be_tokens(tmp_path: Path) -> None:
    graph = {"nodes": [{"name": f"n{i}"} for i in range(9)], "links": [{"source": 1, "target": 0}] * 5}
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    with pytest.raises(
        PipelineError, match=r"\(It was read as 2 rows of key, items.name, items.source and others\.\)$"
    ):
        proposed("graph", "graph.json", None, tmp_path, tmp_path)


@pytest.mark.parametrize("n", range(1, 7))
def test_fewer_examples_than_can_be_divided_are_told(propose: Callable[..., dict[str, Any]], n: int) -> None:
    table = "".join(f"milk tea {word}\n" for word in ["bread", "milk", "bread jam", "jam", "oats", "oats jam"][:n])
    if n == 6:
        assert propose("basket.txt", table)["split"] == {"folds": 5}
        return
    with pytest.raises(PipelineError, match=rf"basket.txt: has {n} examples?, and fewer than 6 cannot be divided"):
        propose("basket.txt", table)


def test_of_a_database_the_query_is_asked_for(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table sales (buyer)")
    with pytest.raises(PipelineError, match=r"^shop.db: this is a database. Which rows\? Give a query too"):
        proposed("books", "shop.db", None, tmp_path, tmp_path)


def test_an_empty_file_and_one_without_records_are_told_and_passed_over_among_others(
    propose: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    few = delimited([row[:2] for row in RATINGS], ["user", "item"])
    with pytest.raises(PipelineError, match="the file is empty"):
        propose("empty.csv", "")
    with pytest.raises(PipelineError, match="not a single record"):
        propose("names.csv", "user,item\n")
    for name in ("empty.csv", "names.csv", "sales.csv"):
        (tmp_path / "days").mkdir(exist_ok=True)
        (tmp_path / "days" / name).write_text({"empty.csv": "", "names.csv": "user,item\n"}.get(name, few))
    assert propose("days", None)["example"] == "user"
    with pytest.raises(PipelineError, match="there is no such file"):
        proposed("data", "gone.csv", None, Path("conf"), Path("downloads"))
    with pytest.raises(PipelineError, match="Give a query too"):
        proposed("data", "postgresql://me:s3cret@host/x", None, Path("conf"), Path("downloads"))


def test_records_without_the_target_are_left_out_where_they_are_many(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(text, rooms, "" if i % 5 == 0 else price) for i, (_, text, rooms, _, _, price) in enumerate(HOMES)]
    conf = propose("homes.csv", delimited(rows, ["remarks", "rooms", "price"]))
    assert conf["source"]["where"] == "price is not null"
    assert "20% of the rows have no price" in conf["text"]
    assert f"{len(HOMES) - -(-len(HOMES) // 5):,} examples are few" in conf["text"]


def test_what_does_not_vary_where_the_target_is_known_is_no_token(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(text, 1987 + i % 2, price if i % 2 else "") for i, (_, text, _, _, _, price) in enumerate(HOMES)]
    rows = [(("old", "new", "fair")[i % 3], year, price) for i, (_, year, price) in enumerate(rows)]
    conf = propose("homes.csv", delimited(rows, ["state", "wave", "price"]))
    assert conf["tokens"] == [{"kind": "value", "columns": ["state"]}]
    assert "dense" not in conf["task"]


def test_records_without_any_token_are_left_out_where_they_are_many(propose: Callable[..., dict[str, Any]]) -> None:
    cells = [["never", "sometimes", "often"][i % 3] for i in range(400)]
    rows = [f"{cell},{cells[-i]},{cells[i // 2]}" if i % 40 else "NA,NA,NA" for i, cell in enumerate(cells)]
    conf = propose("survey.csv", "\n".join(["smokes,naps at work,drinks", *rows]))
    assert conf["source"]["where"] == 'smokes is not null or "naps at work" is not null or drinks is not null'
    assert "2% of the rows have none of them" in conf["text"]
    assert conf["task"] == {"kind": "missing_tokens"}


def test_pairs_without_an_id_are_left_out_where_they_are_many(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [("" if i % 9 == 0 else user, item) for i, (user, item, *_) in enumerate(RATINGS)]
    conf = propose("bought.csv", delimited(rows, ["customer id", "product"]))
    assert conf["example"] == "customer id"
    assert conf["source"]["where"] == '"customer id" is not null'


def test_whole_numbers_of_few_values_are_tokens_where_nothing_else_is(propose: Callable[..., dict[str, Any]]) -> None:
    """A questionnaire: how much one agrees, from 1 to 5; hours and pay are whole numbers, and no ids of anything."""
    rows = [
        (*(RNG.randrange(1, 6) for _ in range(4)), RNG.randrange(0, 90), RNG.randrange(800, 1200)) for _ in range(600)
    ]
    conf = propose("asked.csv", delimited(rows, ["calm", "kind", "brave", "neat", "hours", "pay"]))
    assert conf["tokens"] == [{"kind": "value", "columns": ["calm", "kind", "brave", "neat"]}]
    assert conf["task"] == {"kind": "regression", "target": "pay", "log": False, "dense": ["hours"]}
    assert "example" not in conf


def test_a_number_that_is_a_name_is_not_predicted(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(RNG.choice(["red", "blue"]), RNG.randrange(9, 99) / 8, 536_000 + i // 2) for i in range(300)]
    conf = propose("parts.csv", delimited(rows, ["colour", "size", "DrawingNo"]))
    assert conf["task"]["target"] == "size"


def test_what_could_be_predicted_is_named_where_there_are_no_tokens(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(RNG.random(), RNG.random(), RNG.choice(["red", "blue", "green"])) for _ in range(300)]
    with pytest.raises(PipelineError, match=r"irises.csv: beside 'species', which could be predicted, no column holds"):
        propose("irises.csv", delimited(rows, ["length", "width", "species"]))


@pytest.mark.parametrize("name", ["n", "count", "value", "token", "one", "other", "row", "column", "index", "text"])
def test_a_column_may_have_any_name(name: str, propose: Callable[..., dict[str, Any]]) -> None:
    values = RNG.choices(["red", "blue", "green"], k=300)
    priced = [(value, RNG.choice("AB"), RNG.uniform(1, 9)) for value in values]
    assert propose("a.csv", delimited(priced, [name, "maker", "price"]))["tokens"][0]["columns"] == [name, "maker"]


def test_a_token_whose_column_is_named_n_has_a_label(propose: Callable[..., dict[str, Any]]) -> None:
    lists = [(f"U{i // 6}", value, value.title()) for i, value in enumerate(RNG.choices("abcdefghij", k=1_200))]
    conf = propose("b.csv", delimited(lists, ["user", "n", "description"]))
    section = conf["tokens"][0]
    assert (conf["example"], section["columns"], section["label"]) == ("user", "n", "description")


def test_a_table_of_measurements_has_nothing_to_embed(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [tuple(round(RNG.random(), 4) for _ in range(3)) for _ in range(300)]
    with pytest.raises(PipelineError, match=r"points.csv: no column holds words, .*, so there is nothing to embed"):
        propose("points.csv", delimited(rows, ["x", "y", "z"]))


@pytest.mark.parametrize(
    ("day", "proposed"),
    [
        ("2024-03-{0:02d}", True),
        ("1711{1:06d}", True),
        ("{0:02d}/03/2024", True),
        ("{2:02d}/03/2024", False),
    ],  # the last may be the third of each month
)
def test_a_column_that_says_when_could_split(day: str, proposed: bool, propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(f"u{i % 90}", f"i{RNG.randrange(60)}", day.format(10 + i * 7 % 20, i, 1 + i % 12)) for i in range(2_000)]
    conf = propose("loans.csv", delimited(rows, ["user", "item", "lent"]))
    assert conf["split"] == {"folds": 5}
    assert ("  # time: lent" in conf["text"]) == proposed


def drawn(share: float, value: Any, otherwise: Any) -> Any:
    return value if RNG.random() < share else otherwise


DRINKS = [(f"c{RNG.randrange(80)}", f"drink {RNG.randrange(26)}", RNG.randint(60, 160)) for _ in range(1200)]
PAIRS = [(user, item, RNG.randint(1, 5)) for user in range(90) for item in RNG.sample(range(50), 10)]


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["customer", "drink", "seconds"], DRINKS),  # the whole numbers have more different values than the names
        (["user_id", "item_id"], [row[:2] for row in PAIRS]),  # so few items that they could be amounts
        (["user_id", "item_id", "rating"], PAIRS),
        (["customer\nnumber", "article", "amount"], DRINKS),  # as tables have it that people export
    ],
)
def test_pairs_are_of_names_and_not_of_amounts(
    names: list[str], rows: list[Any], propose: Callable[..., dict[str, Any]]
) -> None:
    conf = propose("sold.csv", delimited(rows, names))
    assert conf["example"] == names[0].replace("\n", " ")
    assert conf["tokens"] == [{"kind": "value", "columns": names[1]}]


@pytest.mark.parametrize(("has", "has_not"), [(lambda: 1, 0), (lambda: "yes", "no"), (lambda: RNG.randint(1, 5), "")])
def test_a_column_for_each_thing_is_taken_also_if_most_rows_have_it(
    has: Callable[[], Any], has_not: Any, propose: Callable[..., dict[str, Any]]
) -> None:
    names = ["bread", "milk", *(f"thing {letter}" for letter in "abcdefghijkl")]
    most = [[drawn(0.7 if j < 2 else 0.2, has(), has_not) for j in range(len(names))] for _ in range(500)]
    rows = [[f"b{i}", *row] for i, row in enumerate(most) if row[0] or row[1]]  # no row is empty
    conf = propose("wide.csv", delimited(rows, ["basket", *names]))
    assert conf["tokens"] == [{"kind": "indicators", "columns": names}]
    assert conf["task"] == {"kind": "missing_tokens"}


def test_numbers_beside_marks_that_are_texts_are_no_marks(propose: Callable[..., dict[str, Any]]) -> None:
    names = [f"channel {letter}" for letter in "abcdefghijkl"]
    rows = [[*(drawn(0.3, "x", "") for _ in names), RNG.randrange(11)] for _ in range(500)]
    rows = [row for row in rows if any(row[:-1])]
    conf = propose("survey.csv", delimited(rows, [*names, "how likely is it (0-10)"]))
    assert conf["tokens"] == [{"kind": "indicators", "columns": names}]


def test_pictures_without_names_of_columns_have_a_class_at_the_end(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [[*(drawn(0.2 if j < 60 else 0.8, RNG.randint(1, 255), 0) for j in range(64)), RNG.randrange(10)]
            for _ in range(400)]  # fmt: skip
    conf = propose("digits.csv", delimited(rows, None))
    assert len(conf["tokens"][0]["columns"]) == 64
    assert conf["task"] == {"kind": "classification", "target": "column_65"}


def test_nothing_is_predicted_that_says_when_or_where(propose: Callable[..., dict[str, Any]]) -> None:
    """Destinations are many, but each has rows enough to tell; ids and codes measure nothing."""
    names = ["carrier", "dest", "paid", "taxi_minutes", "flight_number", "hour", "minute"]
    rows = [(RNG.choice(["AA", "UA"]), f"X{RNG.randrange(100)}Y", RNG.uniform(5, 30), RNG.gauss(5, 30),
             RNG.randrange(9999), RNG.randrange(24), RNG.randrange(60)) for _ in range(4000)]  # fmt: skip
    conf = propose("flights.csv", delimited(rows, names))
    assert conf["tokens"] == [{"kind": "value", "columns": ["carrier", "dest"]}]
    dense = ["paid", "hour", "minute"]
    assert conf["task"] == {"kind": "regression", "target": "taxi_minutes", "log": False, "dense": dense}
    assert "boosted_trees" in conf["baselines"]


def test_short_pieces_are_items_and_no_words(propose: Callable[..., dict[str, Any]]) -> None:
    """Words would lose all pieces of one letter."""
    phonemes = ["B", "AH0", "K", "T", "IY1", "F", "R", "N", "L", "G", "D", "S", "M", "OW2", "EH1"]
    rows = [(f"w{i}", " ".join(RNG.choices(phonemes, k=RNG.randint(4, 9)))) for i in range(900)]
    conf = propose("spoken.csv", delimited(rows, ["word", "phonemes"]))
    assert conf["tokens"] == [{"kind": "items", "columns": "phonemes", "delimiter": " "}]


def test_rows_of_a_single_token_become_lists_or_are_refused(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [(RNG.choice("ABCDEF"), f"O{RNG.randrange(200)}x", f"G{RNG.randrange(200)}y") for _ in range(5000)]
    conf = propose("routes.csv", delimited(rows, ["airline", "origin", "goal"]))
    assert (conf["example"], conf["tokens"]) == ("origin", [{"kind": "value", "columns": "goal"}])
    with pytest.raises(PipelineError, match=r"each row has one value of 'colour', and no other column"):
        propose("colours.csv", delimited([(i, RNG.choice(["red", "blue"])) for i in range(200)], ["no", "colour"]))


def test_lists_of_which_nothing_repeats_hide_nothing(propose: Callable[..., dict[str, Any]]) -> None:
    rows = [{"land": RNG.choice(["DE", "FR"]), "zone": RNG.choice("abc"), "population": int(RNG.lognormvariate(8, 2)),
             "names": [f"a{i}", f"b{i}"]} for i in range(600)]  # fmt: skip
    conf = propose("towns.json", json.dumps(rows))
    assert conf["tokens"] == [{"kind": "value", "columns": ["land", "zone"]}]
    assert conf["task"] == {"kind": "regression", "target": "population"}


def test_times_are_no_names_and_russian_letters_no_french_ones(propose: Callable[..., dict[str, Any]]) -> None:
    times = [(RNG.choice(["Sat", "Sun", "Mon"]), f"{RNG.randint(1, 28)} Apr 2017 15:{RNG.randint(10, 59)}:58 -0500",
              RNG.choice("ABC"))
             for _ in range(400)]  # fmt: skip
    assert propose("commits.txt", delimited(times, None))["source"]["columns"] == ["column_1", "column_2", "column_3"]
    words = ["дом", "сад", "окно", "дверь", "кухня", "светлый", "тихий", "новый", "большой", "гараж"]
    homes = [(" ".join(RNG.sample(words, 6)), RNG.randint(1000, 9000)) for _ in range(400)]
    conf = propose("homes.csv", delimited(homes, ["название", "цена"]).encode("cp1251"))
    assert conf["source"]["encoding"] == "cp1251"
    assert conf["tokens"] == [{"kind": "words", "columns": "название"}]


def test_rows_of_one_host_stay_together(propose: Callable[..., dict[str, Any]]) -> None:
    hosts = pl.DataFrame(HOMES, schema=["id", "text", "rooms", "area", "town", "price"], orient="row").drop("id")
    several = hosts.with_columns(host_id=pl.Series(RNG.choices(range(10_000, 10_090), k=hosts.height)))
    conf = propose("hosts.parquet", several)
    assert conf["split"] == {"folds": 5, "group": "host_id"}
    assert "group" not in propose("alone.parquet", hosts.with_columns(host_id=pl.int_range(hosts.height)))["split"]


def test_of_a_host_that_is_a_token_the_text_tells_what_could_be_tested(propose: Callable[..., dict[str, Any]]) -> None:
    hosts = pl.DataFrame(HOMES, schema=["id", "text", "rooms", "area", "town", "price"], orient="row").drop(
        "id", "text"
    )
    named = hosts.with_columns(host=pl.Series([f"Host {name}" for name in RNG.choices(range(40), k=hosts.height)]))
    conf = propose("hosts.parquet", named)
    assert "host" in [column for tokens in conf["tokens"] for column in tokens["columns"]]
    assert "# group: host" in conf["text"]


def test_of_chinese_texts_runs_of_characters_are_tokens(propose: Callable[..., dict[str, Any]]) -> None:
    words = ["房子", "花园", "安静", "学校", "车库", "明亮", "宽敞", "老城", "地铁", "阳台", "装修", "便宜"]
    rows = [["".join(RNG.sample(words, 6)) + "。", RNG.randrange(90_000, 900_000)] for _ in range(300)]
    conf = propose("homes.csv", delimited(rows, ["text", "price"]))
    assert conf["tokens"] == [{"kind": "characters", "columns": "text", "ngrams": [2, 3]}]
    assert conf["task"]["target"] == "price"


def test_categories_of_parquet_are_what_their_texts_are(propose: Callable[..., dict[str, Any]]) -> None:
    homes = pl.DataFrame(HOMES, schema=["id", "remarks", "beds", "area", "town", "price"], orient="row")
    as_texts = propose("homes.parquet", homes)
    assert propose("homes.parquet", homes.with_columns(pl.col("remarks", "town").cast(pl.Categorical))) == as_texts


def test_ids_beside_a_single_other_column_are_examples_also_if_their_pairs_repeat(
    propose: Callable[..., dict[str, Any]],
) -> None:
    titles = [f"Käse {i}" for i in range(40)]
    rows = [
        (f"Leser {i}", title) for i in range(400) for title in RNG.choices(titles, [40 - k for k in range(40)], k=8)
    ]
    conf = propose("gelesen.csv", "\ufeff" + delimited(rows, ["Leser", "Titel"], ";"))
    assert (conf["example"], conf["tokens"]) == ("Leser", [{"kind": "value", "columns": "Titel"}])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_folders_say_is_a_column_too(propose: Callable[..., dict[str, Any]], tmp_path: Path, ending: str) -> None:
    table = pl.DataFrame(RATINGS, schema=["user", "item", "rating", "time"], orient="row").select("user", "item")
    for user in range(1, 61):
        path = tmp_path / f"plays/user={user}/part.{ending}"
        path.parent.mkdir(parents=True)
        items = table.filter(pl.col("user") == user).select("item")
        items.write_parquet(path) if ending == "parquet" else items.write_csv(path)
    conf = propose("plays", None)
    assert (conf["example"], conf["tokens"][0]["columns"]) == ("user", "item")
