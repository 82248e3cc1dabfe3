import random

import polars as pl
import pytest

from pipeline.proposal.profile import profile


@pytest.mark.parametrize("letters", ["r", "R", "u", "R-", "EUR-"])
def test_letters_and_a_number_are_an_id_and_no_amount_of_money(letters: str) -> None:
    assert profile(pl.Series("reader", [f"{letters}{i % 300}" for i in range(3_000)])).holds in ("ids", "categories")


def test_addresses_of_machines_are_no_texts_of_four_words() -> None:
    addresses = [f"{i % 256}.{i * 7 % 256}.{i * 11 % 256}.{i * 13 % 256}" for i in range(3_000)]
    assert profile(pl.Series("client", addresses)).holds == "addresses"


def test_an_amount_of_rand_is_a_number() -> None:
    found = profile(pl.Series("price", [f"R {1 + i % 7},{100 + i % 90}.50" for i in range(3_000)]))
    assert (found.holds, found.decimal) == ("numbers", ".")


@pytest.mark.parametrize("name", ["R-{}", "TCK-{}", "INV-2024-03-{:06d}", "north/7/{}"])
def test_numbers_of_rows_are_no_texts_however_many_parts_they_have(name: str) -> None:
    assert profile(pl.Series("ticket", [name.format(i) for i in range(3_000)])).holds == "row ids"


@pytest.mark.parametrize("order", ["as written", "shuffled"])
def test_rows_that_are_counted_have_ids_in_whatever_order_they_stand(order: str) -> None:
    rows, sizes = list(range(1, 301)), [2 * i * i for i in range(1, 301)]
    if order == "shuffled":
        random.Random(1).shuffle(rows)
        random.Random(1).shuffle(sizes)
        assert profile(pl.Series("size", sizes)).holds == "ids"  # far apart: these may be of people
    assert profile(pl.Series("home", rows)).holds == "row ids"


def test_true_and_false_as_texts_are_categories() -> None:
    assert profile(pl.Series("sold", ["True", "False", "False"] * 1_000)).holds == "categories"


def test_slugs_are_texts() -> None:
    words = ["old", "new", "red", "house", "garden", "river", "stone", "light"]
    slugs = ["-".join(words[i // 8**k % 8] for k in range(4)) for i in range(3_000)]
    assert profile(pl.Series("slug", slugs)).holds == "texts"


@pytest.mark.parametrize("are_sorted", [True, False])
def test_a_few_items_with_commas_between_are_a_list_and_a_place_is_none(are_sorted: bool) -> None:
    rng = random.Random(2)
    genres = ["action", "comedy", "crime", "drama", "horror", "romance", "sci-fi", "war"]
    drawn = [rng.sample(genres, rng.randint(1, 3)) for _ in range(1_000)]
    texts = [", ".join(sorted(some) if are_sorted else some) for some in drawn]
    assert (profile(pl.Series("genre", texts)).holds, profile(pl.Series("genre", texts)).delimiter) == ("lists", ",")
    towns = ["Albany, New York", "Buffalo, New York", "New York, New York", "Boston, Massachusetts", "Salem, Oregon"]
    assert profile(pl.Series("town", rng.choices(towns, k=1_000))).holds == "categories"


@pytest.mark.parametrize(
    ("hint", "inside", "beside"),
    [
        *(("person", "personal", "personkey"), ("venue", "revenue", "venuekey"), ("album", "albumin", "albumname")),
        *(("order", "disorder", "orderkey"), ("place", "fireplaces", "placekey"), ("count", "county", "wordcount")),
    ],
)
def test_a_word_within_another_word_is_no_hint(hint: str, inside: str, beside: str) -> None:
    numbers = [1.5, 2.5, 3.5]
    assert not profile(pl.Series(inside, numbers)).named(hint)
    assert not profile(pl.Series(f"Total {inside.title()}", numbers)).named(hint)
    assert profile(pl.Series(beside, numbers)).named(hint)
    assert profile(pl.Series(inside, numbers)).named(inside)


@pytest.mark.parametrize("rows", [[["a", "b"], ["c"]], [[{"x": 1}], []]])
def test_lists_of_lists_and_of_objects_hold_no_tokens(rows: list[object]) -> None:
    assert profile(pl.Series("baskets", [rows] * 3)).holds == "nothing"
