"""What came before trains, and nothing of what came later is known to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.errors import PipelineError
from pipeline.estimators import estimator
from pipeline.examples.encoding import encode
from pipeline.examples.example_set import SparseRows
from pipeline.examples.features import DenseScale
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.records.pairs import pair_table as table_module
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary
from tests.conftest import HOMES

BASE: dict[str, Any] = {
    "description": "d",
    "source": {"path": "unused.csv"},
    "example": "user",
    "tokens": [{"kind": "value", "columns": "movie"}],
    "task": {"kind": "missing_tokens", "fold_in": 0.5},
    "dimensions": [2],
}
SHARES = {"time": "at", "validation": 0.25, "test": 0.25}


class Learned(NamedTuple):
    """What became of some records."""

    examples: SparseExamples
    vocabulary: Vocabulary
    conf: Dataset


@pytest.fixture
def learned(write_conf: Callable[..., Path]) -> Callable[..., Learned]:
    """Makes examples of rows (user, movie, at)."""

    def make(rows: list[tuple[str, str, int]] | pl.DataFrame, split: dict[str, Any], **settings: Any) -> Learned:
        columns = ["user", "movie", "at"]
        records = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, schema=columns, orient="row")
        conf = load(write_conf("some", {**BASE, **settings, "split": split}))
        table = pair_table(records.lazy(), conf)
        vocabulary = build_vocabulary(table, conf)
        return Learned(encode(records.lazy(), vocabulary, conf, table), vocabulary, conf)

    return make


def lists(rows: SparseRows, ids: pl.Series, vocabulary: Vocabulary) -> dict[str, str]:
    """The tokens of each example, one letter each."""
    matrix = rows.csr()
    each = (matrix.indices[low:high] for low, high in zip(matrix.indptr, matrix.indptr[1:], strict=False))
    return {example: "".join(sorted(vocabulary.decode(own))) for example, own in zip(ids, each, strict=True)}


def told(found_out: Learned) -> dict[str, dict[str, str]]:
    """What trains, and what goes in and what is predicted in each part."""
    examples, vocabulary, _ = found_out
    training = examples.training()
    found = {"train": lists(training.inputs, training.ids, vocabulary)}
    for part in ("validation", "test"):
        rows = examples.held_out(part)  # type: ignore[arg-type]
        inputs, labels = (lists(some, rows.ids, vocabulary) for some in (rows.inputs, rows.labels))
        found[part] = {example: f"{inputs[example]}>{labels[example]}" for example in labels}
    return found


# a person's films over the years; c came late, and z came up in the end
OVER_TIME = [
    *(("a", movie, at) for movie, at in [("x", 1), ("y", 2), ("v", 5), ("w", 7)]),
    *(("b", movie, at) for movie, at in [("x", 1), ("w", 2), ("v", 3), ("y", 6), ("z", 8), ("x", 8)]),
    *(("c", movie, at) for movie, at in [("x", 7), ("y", 8)]),
]


def test_a_moment_divides_the_tokens_of_all_examples(learned: Callable[..., Learned]) -> None:
    """Times 7 and 8, 5 of 12 tokens, are predicted from all before; 2 before those, of 5 and 6, from what trains."""
    made = learned(OVER_TIME, {"time": "at", "validation": 0.17, "test": 0.42})
    assert told(made) == {
        "train": {"a": "xy", "b": "vwx"},
        "validation": {"a": "xy>v", "b": "vwx>y"},
        "test": {"a": "vxy>w"},  # z is unknown, x was there before, and of c nothing is known before
    }
    examples, vocabulary, _ = made
    assert vocabulary.tokens.select("token", "count").rows() == [("x", 2), ("v", 1), ("w", 1), ("y", 1)]
    assert examples.n_training == 2
    assert examples.frame["split"].to_list() == ["train", "train", "test"]
    assert examples.about["divided"] == (
        "By at: trained on what came until 3, validated on what came after that until 6, tested on what came later. "
        "Of the 3 examples with something later, 2 had begun before."
    )


def test_the_last_of_each_example_is_held_out(learned: Callable[..., Learned]) -> None:
    """The first time of a token counts: b's last film is z, though x came again with it. c has too few."""
    made = learned(OVER_TIME, {"time": "at", "hold_out": "last"})
    assert told(made) == {
        "train": {"a": "xy", "b": "vwx", "c": "xy"},
        "validation": {"a": "xy>v", "b": "vwx>y"},
        "test": {"a": "vxy>w"},
    }
    assert "z" not in made.vocabulary.tokens["token"]


def test_the_order_of_a_list_tells_what_is_its_last(
    write_conf: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second list names its first item again at its end, the third is too short, and nobody has `n` before."""
    records = pl.DataFrame({"list": ["x|y| |w|n", "v|w|x|y|v", "x|y", None, "w|v|x|y"]})
    settings = {
        **BASE,
        "tokens": [{"kind": "items", "columns": "list", "delimiter": "|"}],
        "split": {"hold_out": "last"},
    }
    conf = load(write_conf("lists", {name: settings[name] for name in settings if name != "example"}))
    found = []
    for block in (70, 2):
        monkeypatch.setattr(table_module, "_BLOCK", block)
        vocabulary = build_vocabulary(pair_table(records.lazy(), conf), conf)
        found.append(Learned(encode(records.lazy(), vocabulary, conf), vocabulary, conf))
    assert found[0].examples.fingerprint == found[1].examples.fingerprint
    assert told(found[0]) == {
        "train": {"0": "xy", "1": "vw", "2": "xy", "3": "", "4": "vw"},
        "validation": {"0": "xy>w", "1": "vw>x", "4": "vw>x"},
        "test": {"1": "vwx>y", "4": "vwx>y"},
    }
    assert "n" not in vocabulary.tokens["token"]


def test_tokens_of_one_time_are_held_out_together(learned: Callable[..., Learned]) -> None:
    rows = [("a", movie, at) for movie, at in [("x", 1), ("y", 2), ("v", 3), ("w", 3)]]
    rows += [("b", movie, 1) for movie in "vwxy"]
    found = told(learned(rows, {"time": "at", "hold_out": "last"}))
    assert found["test"] == {"a": "xy>vw"}
    assert found["train"] == {"a": "x", "b": "vwxy"}


def test_the_latest_examples_are_held_out_by_their_last_row(learned: Callable[..., Learned]) -> None:
    """d began before c, and ended after it."""
    spans = {"a": (1, 2), "b": (3, 4), "c": (6, 7), "d": (5, 14)}
    rows = [(user, movie, at) for user, span in spans.items() for movie, at in zip("xy", span, strict=True)]
    examples, _, _ = learned(rows, SHARES | {"hold_out": "examples"})
    assert examples.frame["split"].to_list() == ["train", "train", "validation", "test"]
    assert not examples.about["by_token"]


def test_examples_of_one_time_each_are_split_as_wholes(learned: Callable[..., Learned]) -> None:
    rows = [(f"u{i:02d}", movie, 20 - i) for i in range(20) for movie in ("x", "y", f"new-{i}")]
    examples, vocabulary, _ = learned(rows, {"time": "at"})
    assert examples.frame["split"].to_list() == ["test"] * 4 + ["validation"] * 2 + ["train"] * 14
    assert set(vocabulary.tokens["token"]) == {"x", "y", *(f"new-{i}" for i in range(6, 20))}


def test_neither_the_order_of_the_records_nor_blocks_play_a_part(
    learned: Callable[..., Learned], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    size = 3_000
    records = pl.DataFrame(
        {
            "user": random.integers(60, size=size),
            "movie": random.integers(40, size=size),
            "at": random.integers(90, size=size),
        }
    )
    for split in ({"time": "at"}, {"time": "at", "hold_out": "last"}, {"time": "at", "hold_out": "examples"}):
        one = learned(records, split).examples
        with monkeypatch.context() as patch:
            patch.setattr(table_module, "_BLOCK", 70)
            other = learned(records.sample(fraction=1, shuffle=True, seed=1), split).examples
        assert one.fingerprint == other.fingerprint


WAYS: dict[str, dict[str, Any]] = {
    "tokens": {"time": "at", "validation": 1 / 8, "test": 1 / 4},
    "last": {"time": "at", "hold_out": "last"},
    "examples": {"time": "at", "validation": 1 / 8, "test": 1 / 4, "hold_out": "examples"},
}
LATEST = {"tokens": (5, 6), "last": (6, 7), "examples": (5, 6)}
"""The times from which on a world of eight times validates and is tested."""
FREQUENT = {"tokens": 0.5, "last": 0.55, "examples": 0.7}


def world(way: str, is_other: bool) -> pl.DataFrame:
    """Two worlds, the same but for what is tested: in the other, a new film, and an old one again for much longer.

    What validates has a new film of its own.
    """
    random = np.random.default_rng(0)
    validated, tested = LATEST[way]
    rows = []
    for user in range(40):
        for nth, movie in enumerate(random.permutation(12)[:8]):
            at, name, minutes = user // 5 if way == "examples" else nth, f"m{movie:02d}", 1.0 + nth
            if at == validated and user % 4 == 0:
                name = "soon"
            if is_other and at >= tested:
                name, minutes = ("m00", 900.0) if nth == 6 else ("future", 5.0)
            rows.append((f"u{user:02d}", name, at, minutes))
            if is_other and way == "last" and at == tested:
                rows.append((f"u{user:02d}", "m00", at, 900.0))
    return pl.DataFrame(rows, schema=["user", "movie", "at", "minutes"], orient="row")


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_the_future_cannot_be_told_from_what_was_learned(
    learned: Callable[..., Learned], way: str, refit: bool
) -> None:
    """Vocabulary, counts, the frequencies by which `max_share` leaves out, what is learned from, and PCA."""
    found = []
    for is_other in (False, True):
        asked = {"refit": refit, "weight": "minutes", "vocabulary": {"max_share": FREQUENT[way]}}
        made = learned(world(way, is_other), WAYS[way], **asked)
        training = made.examples.training(refit=refit)
        problem = Problem(training, made.vocabulary, made.conf.resolved(20, 10), 2)
        places = estimator("pca", problem.conf).fit(problem).embedding.matrix
        found.append((made.vocabulary.tokens, training.inputs.csr(), places))
    (tokens, matrix, places), (other_tokens, other_matrix, other_places) = found
    assert tokens.equals(other_tokens)
    assert "future" not in other_tokens["token"]
    assert ("soon" in tokens["token"]) == refit
    assert 2 < len(tokens) < 12 + refit  # some films are too frequent
    assert (matrix != other_matrix).nnz == 0
    assert np.array_equal(places, other_places)


def test_scales_of_features_and_prices_are_those_of_the_past(
    write_conf: Callable[..., Path], priced_words: pl.DataFrame
) -> None:
    settings = HOMES | {"source": {"path": "unused.csv"}, "split": {"time": "sold"}, "baselines": ["ridge"]}
    conf = load(write_conf("sold", settings))
    found = []
    for factor in (1, 1000):
        later = pl.col("sold") >= 480
        records = priced_words.with_row_index("sold").with_columns(
            *(pl.when(later).then(pl.col(name) * factor).otherwise(name) for name in ("area", "price")),
            text=pl.when(later & (factor > 1)).then(pl.lit("future")).otherwise("text"),
        )
        table = pair_table(records.lazy(), conf)
        vocabulary = build_vocabulary(table, conf)
        examples = encode(records.lazy(), vocabulary, conf, table)
        training = examples.training()
        assert (len(training), len(examples.held_out("validation")), len(examples.held_out("test"))) == (420, 60, 120)
        fitted = estimator("ridge", conf).fit(Problem(training, vocabulary, conf.resolved(420, len(vocabulary))))
        found.append((vocabulary.fingerprint, DenseScale.fit(training.dense).weights, fitted.weights))
    assert found[0][0] == found[1][0]
    for one, other in zip(found[0][1:], found[1][1:], strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


TARGET = {"task": {"kind": "regression", "target": "price"}, "baselines": ["mean"]}


@pytest.mark.parametrize(
    ("rows", "split", "settings", "sentence"),
    [
        ([("a", "x", 1), ("a", "y", 2)], {}, TARGET, "'at' varies within an example, but an answer belongs to a whole"),
        ([("a", "x", 1), ("b", "y", 1)], {}, {}, "split.time: 'at' has too few different times"),
        (
            [(user, movie, at + i) for i, movie in enumerate("xy") for user, at in (("a", 1), ("b", 3), ("c", 5))],
            {"validation": 0.3, "test": 0.3},
            {},
            "no example has tokens both before and after a moment of 'at'.* Say `hold_out: examples`",
        ),
        ([("a", "x", 1), ("a", "y", 2)], {"hold_out": "last"}, {}, "no example has tokens of three different times"),
    ],
)
def test_what_cannot_be_split_by_time_says_what_to_do(
    learned: Callable[..., Learned], rows: Any, split: dict[str, Any], settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PipelineError, match=sentence):
        learned(rows, {"time": "at", **split}, **settings)
