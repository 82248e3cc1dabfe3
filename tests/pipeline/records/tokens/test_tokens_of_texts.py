"""Tokens of texts: words, runs of words, and runs of characters."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.feature_extraction.text import CountVectorizer

from pipeline.records.tokens.characters import CharacterTokens
from pipeline.records.tokens.texts import WORD
from pipeline.records.tokens.words import WordTokens

TEXTS = st.lists(st.text(alphabet="aBcé1' .-", max_size=30), min_size=1, max_size=5)


def tokens_of(kind: Any, texts: list[str]) -> list[list[str]]:
    expression = kind.texts("text", pl.String())
    assert expression is not None
    return pl.DataFrame({"text": texts}, schema={"text": pl.String}).select(expression).to_series().to_list()


@given(texts=TEXTS, lengths=st.sampled_from([(1, 1), (1, 2), (2, 3), (3, 3)]))
def test_runs_of_words_are_those_of_scikit_learn(texts: list[str], lengths: tuple[int, int]) -> None:
    words = WordTokens(kind="words", columns=("text",), min_length=1, stop_words=("a", "É"), ngrams=lengths)
    pattern = WORD.replace(r"[\p{L}\p{M}\p{N}]", r"\w").replace(r"[\p{L}\p{M}]", r"[^\W\d_]")
    theirs = CountVectorizer(ngram_range=lengths, token_pattern=pattern, stop_words=["a", "é"]).build_analyzer()
    assert [sorted(found) for found in tokens_of(words, texts)] == [sorted(theirs(text)) for text in texts]


@given(texts=TEXTS, lengths=st.sampled_from([(1, 1), (2, 4), (3, 5), (9, 9)]))
def test_runs_of_characters_are_cut_from_each_word(texts: list[str], lengths: tuple[int, int]) -> None:
    kind = CharacterTokens(kind="characters", columns=("text",), ngrams=lengths)
    words = tokens_of(WordTokens(kind="words", columns=("text",), min_length=1), texts)
    expected = [
        sorted(
            f"<{word}>"[i : i + n]
            for word in of_text
            for n in range(lengths[0], lengths[1] + 1)
            for i in range(len(word) + 3 - n)
        )
        for of_text in words
    ]
    assert [sorted(found) for found in tokens_of(kind, texts)] == expected


def test_what_the_documentation_says() -> None:
    words = WordTokens(kind="words", columns=("text",), ngrams=(1, 2), stop_words=("in",))
    assert tokens_of(words, ["Walk in closet!"]) == [["walk", "closet", "walk closet"]]
    characters = CharacterTokens(kind="characters", columns=("text",), ngrams=(4, 4))
    assert tokens_of(characters, ["Garage"]) == [["<gar", "gara", "arag", "rage", "age>"]]


def test_lengths_that_make_no_sense_are_refused() -> None:
    for lengths in ((2, 1), (0, 1), (1, 21)):
        with pytest.raises(ValidationError):
            WordTokens(kind="words", columns=("text",), ngrams=lengths)


def test_an_accent_of_its_own_makes_no_other_word() -> None:
    texts = ["Cafe\u0301 Wien", None, "Café Wien", "\u1112\u1161\u11ab 한"]
    (one, nothing, same, korean) = tokens_of(WordTokens(kind="words", columns=("text",), min_length=1), texts)
    assert (one, nothing, korean) == (same, None, ["한", "한"])


@given(
    words=st.lists(st.sampled_from(["Tea", "café", "b", "br", "5"]), min_size=1, max_size=6),
    tags=st.lists(st.sampled_from(["<br />", "<BR/>", "</p>", '<a href="x.html">', " <b>", "<h2\n>"]), min_size=6),
)
def test_tags_of_html_are_no_words_and_part_the_words_around_them(words: list[str], tags: list[str]) -> None:
    kind = WordTokens(kind="words", columns=("text",), min_length=1)
    marked = "".join(word + tag for word, tag in zip(words, tags, strict=False))
    assert tokens_of(kind, [marked]) == tokens_of(kind, [" ".join(words)])


def test_references_are_the_characters_that_they_stand_for_and_other_angles_stay() -> None:
    kind = WordTokens(kind="words", columns=("text",), min_length=1)
    texts = ["caf&eacute;&nbsp;&#8211;&lt;br&gt;don&#39;t", None, "x <y> <unk> & a; AT&T"]
    assert tokens_of(kind, texts) == [["café", "don't"], None, ["x", "y", "unk", "a", "at", "t"]]
