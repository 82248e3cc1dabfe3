import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.pairs import text_numbers as module
from pipeline.records.pairs.text_numbers import TextNumbers

BATCHES = st.lists(st.lists(st.text(max_size=3)), max_size=6)


@given(batches=BATCHES, bits=st.integers(1, 4))
def test_each_text_has_one_number_in_all_batches_however_full_the_tables_are(
    batches: list[list[str]], bits: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FIRST_BITS", bits)
        numbers = TextNumbers()
        found = [numbers.of(pl.Series(batch, dtype=pl.String)).tolist() for batch in batches]
    texts = list(dict.fromkeys(text for batch in batches for text in batch))
    assert numbers.texts().to_list() == texts
    assert len(numbers) == len(texts)
    assert found == [[texts.index(text) for text in batch] for batch in batches]


def test_texts_that_find_no_place_in_either_table_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand hashes share their low bits, and their high bits too."""
    monkeypatch.setattr(pl.Series, "hash", lambda self: self.cast(pl.UInt64) * 2**16)
    texts = pl.Series([str(i) for i in range(1000)])
    numbers = TextNumbers()
    assert numbers.of(texts[:600]).tolist() == list(range(600))
    assert numbers.of(texts).tolist() == list(range(1000))
    assert numbers.of(texts.reverse()).tolist() == list(range(999, -1, -1))
