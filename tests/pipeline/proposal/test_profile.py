import polars as pl
import pytest

from pipeline.proposal.profile import profile


@pytest.mark.parametrize("letter", ["r", "R", "u"])
def test_a_letter_and_a_number_is_an_id_and_no_amount_of_money(letter: str) -> None:
    assert profile(pl.Series("reader", [f"{letter}{i % 300}" for i in range(3_000)])).holds in ("ids", "categories")


def test_an_amount_of_rand_is_a_number() -> None:
    found = profile(pl.Series("price", [f"R {1 + i % 7},{100 + i % 90}.50" for i in range(3_000)]))
    assert (found.holds, found.decimal) == ("numbers", ".")
