"""Looking up by hash is looking up by text."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import lookup
from pipeline.lookup import look_up

TEXTS = st.lists(st.text(max_size=3))


@given(texts=TEXTS, known=st.lists(st.text(max_size=3), unique=True))
def test_each_text_gets_its_place_and_an_unknown_one_none(texts: list[str], known: list[str]) -> None:
    frame = pl.LazyFrame({"text": texts}, schema={"text": pl.String})
    listed = pl.Series(known, dtype=pl.String)
    expected = [(text, known.index(text) if text in known else None) for text in texts]
    found = look_up(frame, "text", listed, "place").select("text", "place").collect()
    assert sorted(found.rows(), key=str) == sorted(expected, key=str)
    inner = look_up(frame, "text", listed, "place", how="inner").select("text", "place").collect()
    assert sorted(inner.rows()) == sorted((text, place) for text, place in expected if place is not None)


def test_where_hashes_meet_the_texts_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Series, "hash", lambda self: pl.Series([7] * len(self), dtype=pl.UInt64))
    frame = pl.LazyFrame({"text": ["b", "a", "c"]})
    found = look_up(frame, "text", pl.Series(["a", "b"]), "place").collect()
    assert dict(found.select("text", "place").rows()) == {"b": 1, "a": 0, "c": None}
    assert lookup._HASH not in found.columns
