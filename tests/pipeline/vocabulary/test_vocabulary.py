from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.errors import PipelineError
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import UNKNOWN, Vocabulary, build_vocabulary

counts = st.dictionaries(st.text(), st.integers(1, 1000), min_size=1, max_size=30)


def built(tokens: list[str], conf: Dataset, before: Vocabulary | None = None) -> Vocabulary:
    """The vocabulary of a training example with these tokens, one without tokens, and a test example with another."""
    conf = conf.model_copy(update={"split": Split(column="part")})
    rows = [("a", token, "train") for token in tokens] + [("b", None, "train"), ("c", "z", "test"), ("c", "z", "test")]
    records = pl.LazyFrame(rows, schema=dict.fromkeys(("user", "movie", "part"), pl.String), orient="row")
    return build_vocabulary(pair_table(records.with_columns(title="movie"), conf), conf, before=before)


def with_settings(conf: Dataset, **settings: object) -> Dataset:
    return conf.model_copy(update={"vocabulary": conf.vocabulary.model_copy(update=settings)})


@given(counts)
def test_decode_undoes_encode_for_any_strings(counts: dict[str, int]) -> None:
    vocabulary = Vocabulary.of(counts)
    tokens = list(counts)
    assert vocabulary.decode(vocabulary.encode(tokens)) == tokens


@given(counts)
def test_integers_are_0_to_v_minus_1_with_the_most_frequent_first(counts: dict[str, int]) -> None:
    vocabulary = Vocabulary.of(counts)
    assert sorted(vocabulary.encode(list(counts))) == list(range(len(counts)))
    assert vocabulary.tokens["count"].to_list() == sorted(counts.values(), reverse=True)


@given(counts, counts)
def test_the_fingerprint_is_equal_exactly_when_the_counts_are(one: dict[str, int], other: dict[str, int]) -> None:
    assert (Vocabulary.of(one).fingerprint == Vocabulary.of(other).fingerprint) == (one == other)


def test_a_label_changes_only_the_fingerprint_that_has_labels_in_it() -> None:
    one = Vocabulary.of({"7": 3, "9": 1})
    other = Vocabulary.of_frame(one.tokens.with_columns(label=pl.Series(["Alien", "Heat"])))
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint_with_labels != other.fingerprint_with_labels


def test_a_token_without_a_place_is_minus_1_and_asking_for_it_by_name_is_loud() -> None:
    vocabulary = Vocabulary.of({"Alien": 2, "Aliens": 1})
    assert vocabulary.encode(["Alien", "Heat"]).tolist() == [0, -1]
    with pytest.raises(PipelineError, match="'Alein' is not in the vocabulary: did you mean 'Alien'"):
        vocabulary.index("Alein")
    with pytest.raises(IndexError):
        vocabulary.decode(np.array([-1]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lists=st.lists(st.lists(st.sampled_from("abcde")), min_size=1, max_size=12),
    max_share=st.floats(0.01, 0.99),
)
def test_tokens_that_more_than_a_share_of_the_training_examples_has_are_left_out(
    lists: list[list[str]], max_share: float, movies: Dataset
) -> None:
    """However often they occur in an example; a test example with the same tokens does not count."""
    rows = [(f"u{i}", token, "train") for i, tokens in enumerate(lists) for token in [*tokens, None]]
    rows += [("other", token, "test") for token in "abcde"]
    records = pl.LazyFrame(rows, schema=dict.fromkeys(("user", "movie", "part"), pl.String), orient="row")
    conf = with_settings(movies.model_copy(update={"split": Split(column="part")}), max_share=max_share)
    has = {token: sum(token in tokens for tokens in lists) for token in "abcde"}
    expected = {token for token, n in has.items() if 0 < n <= max_share * len(lists)}
    table = pair_table(records.with_columns(title="movie"), conf)
    if expected:
        assert set(build_vocabulary(table, conf).tokens["token"]) == expected
    else:
        said = r"Raise `vocabulary.max_share`" if any(has.values()) else "no token at all"
        with pytest.raises(PipelineError, match=said):
            build_vocabulary(table, conf)


def test_rare_tokens_are_left_out_and_ties_go_by_the_token(movies: Dataset) -> None:
    tokens = ["b", "b", "a", "a", "c"]
    assert built(tokens, with_settings(movies, min_count=2)).tokens["token"].to_list() == ["a", "b"]
    assert built(tokens, with_settings(movies, max_size=1)).tokens["token"].to_list() == ["a"]


def test_unknown_tokens_can_share_one_place(movies: Dataset) -> None:
    vocabulary = built(["b", "b", "a", "c"], with_settings(movies, min_count=2, unknown="share"))
    assert vocabulary.tokens.select("token", "count").rows() == [(UNKNOWN, 2), ("b", 2)]
    assert vocabulary.encode(["b", "never seen"]).tolist() == [1, 0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(st.sampled_from("abcdefz"), st.integers(1, 9), min_size=1),
    today=st.lists(st.sampled_from("abcdefghi"), min_size=1, max_size=30),
    min_count=st.integers(1, 2),
)
def test_known_tokens_keep_their_integers_whatever_today_s_counts_are(
    before: dict[str, int], today: list[str], min_count: int, movies: Dataset
) -> None:
    """And those that no training example has count 0; the new ones follow, the most frequent first."""
    conf, known = with_settings(movies, min_count=min_count), Vocabulary.of(before)
    frequent = sorted(
        (token for token in set(today) if today.count(token) >= min_count), key=lambda t: (-today.count(t), t)
    )
    if not frequent:
        return
    now = built(today, conf, known)
    tokens = [*known.tokens["token"], *(token for token in frequent if token not in before)]
    assert now.tokens.select("token", "count").rows() == [(token, today.count(token)) for token in tokens]
    assert built(today, conf, now).fingerprint == now.fingerprint
    order = now.by_count.tolist()
    assert sorted(order) == list(range(len(now)))
    assert now.tokens["count"][order].is_sorted(descending=True)


def test_what_is_kept_has_its_place_before_what_is_new(movies: Dataset) -> None:
    known = Vocabulary.of({"old": 5, "b": 2})
    now = built(["a", "a", "a", "b", "c", "c"], with_settings(movies, max_size=3), known)
    assert now.tokens.select("token", "count").rows() == [("old", 0), ("b", 1), ("a", 3)]
    full = built(["a", "a"], with_settings(movies, max_size=1), known)
    assert full.tokens["token"].to_list() == ["old", "b"]


def test_the_unknown_share_a_kept_place_too(movies: Dataset) -> None:
    conf = with_settings(movies, min_count=2, unknown="share")
    first = built(["b", "b", "a", "c"], conf)
    now = built(["b", "d", "d", "e"], conf, first)
    assert now.tokens.select("token", "count").rows() == [(UNKNOWN, 1), ("b", 1), ("d", 2)]


def test_a_vocabulary_without_tokens_is_refused(movies: Dataset) -> None:
    with pytest.raises(
        PipelineError, match=r"planted_movies.yaml: no token is left of 1.*Lower `vocabulary.min_count`"
    ):
        built(["a"], with_settings(movies, min_count=2))
    with pytest.raises(PipelineError, match="no token at all"):
        built([], movies)


def test_saving_and_loading_keeps_the_fingerprint(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of({"ä\0b": 2, "": 1})
    vocabulary.save(tmp_path)
    assert Vocabulary.load(tmp_path).fingerprint == vocabulary.fingerprint
    with pytest.raises(PipelineError, match="made with the vocabulary"):
        vocabulary.require("0" * 16, "this")
