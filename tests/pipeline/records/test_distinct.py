"""By hash and in batches, the same is found as by text and at once."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import distinct as module
from pipeline.records.distinct import distinct, look_up

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
    assert module._HASH not in found.columns


ROWS = st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)))


@given(rows=ROWS, batch=st.integers(1, 5))
def test_each_text_is_found_once_counted_and_with_its_smallest_neighbour(
    rows: list[tuple[str, str]], batch: int
) -> None:
    frame = pl.LazyFrame(rows, schema={"text": pl.String, "beside": pl.String}, orient="row")
    texts = {text for text, _ in rows}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", batch)
        found = distinct(frame, "text", ["beside"])
    assert found.schema == {"text": pl.String, "count": pl.UInt32, "beside": pl.String}
    expected = [
        (text, sum(text == other for other, _ in rows), min(beside for other, beside in rows if other == text))
        for text in texts
    ]
    assert sorted(found.rows()) == sorted(expected)


def test_texts_of_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    second = pl.Expr.hash
    monkeypatch.setattr(pl.Expr, "hash", lambda self, seed=0: second(self, seed) if seed else second(self) * 0)
    found = distinct(pl.LazyFrame({"text": ["a", "b", "a"]}), "text")
    assert sorted(found.rows()) == [("a", 2), ("b", 1)]


@given(texts=TEXTS, batch=st.integers(1, 5))
def test_where_most_texts_are_known_they_are_counted(texts: list[str], batch: int) -> None:
    frame = pl.LazyFrame({"text": texts}, schema={"text": pl.String})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", batch)
        found = distinct(frame, "text")
    assert sorted(found.rows()) == sorted((text, texts.count(text)) for text in set(texts))


@pytest.mark.parametrize("texts", [["a", "b", "a"], ["a", "a", "b"], ["a", "a", "a", "b", "c"]])
def test_texts_of_the_same_hash_are_told_apart_in_any_batch(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = pl.Expr.hash
    monkeypatch.setattr(pl.Expr, "hash", lambda self, seed=0: hashed(self, seed) if seed else hashed(self) * 0)
    monkeypatch.setattr(module, "BATCH", 1)
    found = distinct(pl.LazyFrame({"text": texts}), "text")
    assert sorted(found.rows()) == sorted((text, texts.count(text)) for text in set(texts))
