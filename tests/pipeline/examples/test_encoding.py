from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.errors import PipelineError
from pipeline.examples.sparse_examples import HELD_OUT, TRAIN, SparseExamples
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from

ITEMS: dict[str, Any] = {
    "description": "d",
    "source": {"path": "unused.csv"},
    "tokens": [{"kind": "items", "columns": "list"}],
    "split": {"validation": 0, "test": 0},
    "task": {"kind": "missing_tokens"},
    "dimensions": [1],
}
texts = st.text().map(str.strip).filter(bool)  # items are stripped, and empty ones are dropped


@pytest.fixture
def items(write_conf: Callable[..., Path]) -> Dataset:
    return load(write_conf("items", ITEMS))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.lists(texts), min_size=2).filter(any))
def test_decode_undoes_encode_for_any_lists(items: Dataset, lists: list[list[str]]) -> None:
    """Any strings, empty lists, duplicates, unicode: an example is a bag, so the order within it is not kept."""
    vocabulary, examples = encoded_from(pl.DataFrame({"list": lists}, schema={"list": pl.List(pl.String)}), items)
    decoded = examples.decode(vocabulary)
    assert decoded["example"].to_list() == [str(row) for row in range(len(lists))]
    assert [Counter(bag) for bag in decoded["tokens"]] == [Counter(bag) for bag in lists]


def test_the_matrix_is_csr_with_integers_ascending_in_each_row(two_genres: pl.DataFrame, movies: Dataset) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    assert examples.shape == (160, len(vocabulary))
    assert examples.indptr[0] == 0
    assert examples.indptr[-1] == len(examples.indices) == two_genres.height
    for row in range(len(examples)):
        inside = examples.indices[examples.indptr[row] : examples.indptr[row + 1]]
        assert (np.diff(inside) > 0).all()
    assert examples.density == two_genres.height / (160 * len(vocabulary))


def test_three_of_ten_go_in_and_seven_are_predicted(write_conf: Callable[..., Path]) -> None:
    records = pl.DataFrame({"list": [[f"movie {i}" for i in range(10)]] * 10})
    conf = load(write_conf("ten", {**ITEMS, "split": {"validation": 0.2, "test": 0.3}}))
    _, examples = encoded_from(records, conf)
    for part, n in (("validation", 2), ("test", 3)):
        rows = examples.held_out(part)  # type: ignore[arg-type]
        assert len(rows) == n
        assert rows.inputs.lengths.tolist() == [3] * n
        assert rows.labels.lengths.tolist() == [7] * n
        assert rows.inputs.csr().multiply(rows.labels.csr()).nnz == 0
    assert examples.training().inputs.lengths.tolist() == [10] * 5
    assert examples.training().labels.csr().nnz == 0


def test_of_two_tokens_one_goes_in_and_one_is_predicted_at_any_share(write_conf: Callable[..., Path]) -> None:
    task = {"kind": "missing_tokens", "fold_in": 0.8}
    conf = load(write_conf("two", {**ITEMS, "split": {"validation": 0, "test": 0.5}, "task": task}))
    rows = encoded_from(pl.DataFrame({"list": [["a", "b"]] * 10}), conf)[1].held_out("test")
    assert rows.inputs.lengths.tolist() == rows.labels.lengths.tolist() == [1] * 5


def test_nobody_is_both_trained_on_and_held_out(two_genres: pl.DataFrame, movies: Dataset) -> None:
    _, examples = encoded_from(two_genres, movies)
    parts = [
        set(rows.ids) for rows in (examples.training(), examples.held_out("validation"), examples.held_out("test"))
    ]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 160


def test_in_folds_every_example_is_held_out_once_and_trains_in_the_other_turns(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    _, examples = encoded_from(two_genres, movies.model_copy(update={"split": Split(folds=5)}))
    assert examples.n_folds == 5
    tested: list[str] = []
    validated: list[str] = []
    for fold in range(5):
        training, refit = examples.training(fold), examples.training(fold, refit=True)
        validation, test = (examples.held_out(part, fold) for part in HELD_OUT)
        assert set(refit.ids) == set(training.ids) | set(validation.ids)
        assert not set(refit.ids) & set(test.ids)
        assert len(refit) + len(test) == 160
        assert (
            refit.inputs.csr().nnz
            == training.inputs.csr().nnz + validation.inputs.csr().nnz + validation.labels.csr().nnz
        )
        assert validation.inputs.csr().multiply(validation.labels.csr()).nnz == 0
        tested += test.ids.to_list()
        validated += validation.ids.to_list()
    assert sorted(tested) == sorted(validated) == examples.frame["example"].to_list()
    assert len(examples.everything()) == 160


def test_a_refit_takes_the_validation_tokens_of_a_split_column_too(write_conf: Callable[..., Path]) -> None:
    settings = {**ITEMS, "example": "user", "tokens": [{"kind": "value", "columns": "movie"}], "split": "part"}
    rows = [("a", "x", "train"), ("a", "y", "validation"), ("a", "z", "test"), ("b", "z", "train")]
    records = pl.DataFrame(rows, schema=["user", "movie", "part"], orient="row")
    vocabulary, examples = encoded_from(records, load(write_conf("column", {**settings, "refit": True})))
    names = [list(vocabulary.decode(row.indices)) for row in examples.training(refit=True).inputs.csr()]
    assert [sorted(tokens) for tokens in names] == [["x", "y"], ["z"]]
    assert examples.training().inputs.csr().nnz == 2


def test_a_split_column_says_which_tokens_go_in(write_conf: Callable[..., Path]) -> None:
    conf = load(
        write_conf(
            "column",
            {**ITEMS, "example": "user", "tokens": [{"kind": "value", "columns": "movie"}], "split": "part"},
        )
    )
    rows = [("a", m, p) for m, p in [("x", "train"), ("y", "train"), ("z", "validation"), ("w", "test")]]
    rows += [("b", m, "train") for m in "xyzw"] + [("a", "x", "test")]  # a token that is an input cannot be held out
    vocabulary, examples = encoded_from(pl.DataFrame(rows, schema=["user", "movie", "part"], orient="row"), conf)

    def names(matrix: Any) -> list[str]:
        return sorted(vocabulary.decode(matrix.indices))

    validation, test = examples.held_out("validation"), examples.held_out("test")
    assert validation.ids.to_list() == test.ids.to_list() == ["a"]
    assert (names(validation.inputs.csr()), names(validation.labels.csr())) == (["x", "y"], ["z"])
    assert (names(test.inputs.csr()), names(test.labels.csr())) == (["x", "y", "z"], ["w"])
    assert names(examples.training().inputs.csr()) == sorted("xyxyzw")


def test_unknown_tokens_are_dropped_and_counted_or_refused_or_shared(write_conf: Callable[..., Path]) -> None:
    lists = [["a", "b"], ["a", "b"], ["a", "c"]]
    base = {**ITEMS, "vocabulary": {"min_count": 2}}
    vocabulary, examples = encoded_from(pl.DataFrame({"list": lists}), load(write_conf("drop", base)))
    assert examples.about["unknown_tokens"] == 1
    assert examples.decode(vocabulary)["tokens"].to_list() == [["a", "b"], ["a", "b"], ["a"]]
    base["vocabulary"]["unknown"] = "share"
    vocabulary, examples = encoded_from(pl.DataFrame({"list": lists}), load(write_conf("share", base)))
    assert examples.decode(vocabulary)["tokens"][2].to_list() == ["a", "<unknown>"]
    base["vocabulary"]["unknown"] = "refuse"
    with pytest.raises(PipelineError, match=r"refuse.yaml, vocabulary.unknown: the token 'c' of example '2'"):
        encoded_from(pl.DataFrame({"list": lists}), load(write_conf("refuse", base)))


def test_dense_features_and_target_go_with_their_example(priced_words: pl.DataFrame, homes: Dataset) -> None:
    _, examples = encoded_from(priced_words, homes)
    assert examples.target.tolist() == priced_words["price"].to_list()
    assert examples.dense[:, 0].tolist() == priced_words["area"].to_list()
    assert (examples.parts == TRAIN).all()
    assert examples.held_out("test").inputs.csr().nnz > 0


def test_a_missing_dense_feature_is_nan(priced_words: pl.DataFrame, homes: Dataset) -> None:
    without = priced_words.with_columns(area=pl.when(pl.int_range(pl.len()) > 0).then("area"))
    _, examples = encoded_from(without, homes)
    assert np.isnan(examples.dense[:, 0]).tolist() == [True] + [False] * 599


def test_saving_and_loading_is_memory_mapped_and_the_same(
    two_genres: pl.DataFrame, movies: Dataset, tmp_path: Path
) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    examples.save(tmp_path)
    loaded = SparseExamples.load(tmp_path)
    assert isinstance(loaded.indices, np.memmap)
    assert loaded.fingerprint == examples.fingerprint
    assert loaded.decode(vocabulary).equals(examples.decode(vocabulary))
    with pytest.raises(PipelineError, match="the sparse examples: made with the vocabulary"):
        loaded.decode(Vocabulary.of({"another": 1}))
