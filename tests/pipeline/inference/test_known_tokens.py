import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.inference import known_tokens
from pipeline.inference.known_tokens import KnownTokens, places_of
from pipeline.vocabulary.vocabulary import Vocabulary


def vocabulary(rows: list[tuple[str, str, int]]) -> Vocabulary:
    return Vocabulary.of_frame(
        pl.DataFrame(rows, schema={"token": pl.String, "label": pl.String, "count": pl.UInt32}, orient="row")
    )


FILMS = vocabulary(
    [
        ("1", "Toy Story (1995)", 9),
        ("2", "Heat (1995)", 7),
        ("3", "Alien (1979)", 5),
        ("4", "Heat (1995)", 3),  # another film of the same name
        ("300", "2", 2),  # its label is the token of another one
    ]
)


def test_a_token_is_found_by_itself_by_its_label_and_in_any_case() -> None:
    known = KnownTokens(FILMS)
    assert known.find(["3", "Alien (1979)", "aLIEN (1979)", "Predator"]).tolist() == [2, 2, 2, -1]


def test_a_token_goes_before_a_label_and_of_equal_labels_the_most_frequent() -> None:
    known = KnownTokens(FILMS)
    assert known.find(["2", "Heat (1995)"]).tolist() == [1, 1]


def test_what_is_misspelt_gets_suggestions_and_is_named_once() -> None:
    known = KnownTokens(FILMS)
    given = ["Toy Storry (1995)", "Alien (1979)", "Toy Storry (1995)"]
    (unknown,) = known.unknown(given, known.find(given))
    assert (unknown.given, unknown.suggestions[0]) == ("Toy Storry (1995)", "Toy Story (1995)")
    with pytest.raises(PipelineError, match=r"'Toy Storry' is not in the vocabulary: did you mean 'Toy Story"):
        known.one("Toy Storry")
    with pytest.raises(PipelineError, match="nothing in it is like it"):
        known.one("zzzzzzzz")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Alen", "Alien"),  # the letters stand in Talented as well
        ("Mattrix", "Matrix, The"),  # and M is a film
        ("The Matrx", "Matrix, The"),
        ("Heeat", "Heat"),  # at the start before elsewhere
        ("Shaw", "Shawshank Redemption, The"),
    ],
)
def test_whole_words_that_are_alike_are_suggested_before_letters_of_long_labels(given: str, meant: str) -> None:
    titles = ["Talented Mr. Ripley, The", "Magdalene Sisters, The", "M", "White Heat", "Heat", "Alien", "Matrix, The"]
    films = vocabulary([(str(i), title, 9) for i, title in enumerate([*titles, "Shawshank Redemption, The"])])
    assert KnownTokens(films).suggestions(given)[0] == meant


def test_only_the_first_unknown_texts_get_suggestions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tokens, "MOST_SUGGESTIONS", 1)
    known = KnownTokens(FILMS)
    given = ["Toy Storry", "Aliens (1979)"]
    assert [bool(one.suggestions) for one in known.unknown(given, known.find(given))] == [True, False]


def test_typing_finds_what_begins_so_before_what_has_it_inside() -> None:
    films = vocabulary([("a", "The Heat", 3), ("b", "Heat", 2), ("c", "Cheats", 1), ("d", "Alien", 1)])
    assert KnownTokens(films).beginning("heat") == [1, 0, 2]
    assert KnownTokens(films).beginning("", most=2) == [0, 1]


@given(st.lists(st.text(max_size=5), min_size=1, unique=True), st.lists(st.text(max_size=5)))
def test_many_texts_are_found_by_their_hashes_as_few_are_in_a_dictionary(there: list[str], asked: list[str]) -> None:
    expected = [there.index(text) if text in there else -1 for text in [*asked, *there]]
    texts = pl.Series(there, dtype=pl.String)
    with pytest.MonkeyPatch.context() as patch:
        for most in (0, len(there)):
            patch.setattr(known_tokens, "MOST_IN_A_DICTIONARY", most)
            assert np.array_equal(places_of(texts)([*asked, *there]), expected)


def test_it_is_found_by_frequency_where_the_integers_are_older() -> None:
    known = KnownTokens(vocabulary([("4", "Heat (1995)", 3), ("2", "Heat (1995)", 7), ("1", "Toy Story (1995)", 9)]))
    assert known.find(["Heat (1995)", "4", "1", "none"]).tolist() == [1, 0, 2, -1]
    assert known.beginning("", 2) == [2, 1]
    assert known.beginning("heat") == [1, 0]
