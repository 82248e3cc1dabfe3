"""Records that say how much a token counts: from the column of the records to what each method has learned."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem
from pipeline.errors import PipelineError
from pipeline.estimators import estimator
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.examples.unseen import unseen, without_answers
from pipeline.examples.weight_scale import WeightScale
from pipeline.records.ingest import ingest
from pipeline.records.pairs.builder import pair_table
from pipeline.records.pairs.pair_table import PairTable
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary
from tests.conftest import MOVIES, genre_of

ALL = ("embedding", "pca", "popularity", "als", "ease", "item_knn", "course_network")


@pytest.fixture(scope="module")
def watched() -> pl.DataFrame:
    """160 people who watch 8 films of their genre for an hour or two, and look into 8 of the other for minutes."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(160):
        own, other = ("war", "love") if user % 2 else ("love", "war")
        for genre, low, high in ((own, 60, 120), (other, 1, 5)):
            rows += [
                {"user": f"u{user:03d}", "movie": f"{genre}-{i:02d}", "minutes": float(random.uniform(low, high))}
                for i in random.choice(20, 8, replace=False)
            ]
    return pl.DataFrame(rows)


def conf_of(write_conf: Callable[..., Path], **settings: object) -> Dataset:
    tokens = [{"kind": "value", "columns": "movie"}]
    baselines = ["popularity", {"kind": "als", "dimension": 4}, "ease", "item_knn", "course_network"]
    own = {"source": {"path": "unused.csv"}, "tokens": tokens, "baselines": baselines, "dimensions": [2]}
    return load(write_conf("watched", {**MOVIES, **own, **settings}))


def encoded(records: pl.DataFrame, conf: Dataset) -> tuple[Vocabulary, SparseExamples]:
    table = pair_table(records.lazy(), conf)
    vocabulary = build_vocabulary(table, conf)
    return vocabulary, encode(records.lazy(), vocabulary, conf, table)


@pytest.mark.parametrize("weight", ["minutes", None])
def test_methods_find_what_only_the_weights_tell(
    weight: str | None, watched: pl.DataFrame, write_conf: Callable[..., Path]
) -> None:
    """Every list has as many films of one genre as of the other; how long they were watched tells the genres apart."""
    conf = conf_of(write_conf, weight=weight)
    vocabulary, examples = encoded(watched, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    learned = {}
    for method in ALL:
        dimension = 2 if method in ("embedding", "pca", "course_network") else None
        problem = Problem(examples.training(), vocabulary, conf, dimension, examples.held_out("validation"))
        fitted = estimator(method, conf).fit(problem)
        assert measure(conf.task, conf.task.evaluate(fitted, examples.held_out("test")))["recall_at_20"] > 0
        some = examples.training().cut(slice(0, 20))
        top = np.argsort(-fitted.score(some.inputs.csr(), some.dense), axis=1)[:, :10]
        own = ["war" if int(user[1:]) % 2 else "love" for user in some.ids]
        learned[method] = np.mean(
            [genre_of(token) == genre for row, genre in zip(top, own, strict=True) for token in vocabulary.decode(row)]
        )
    found = {method for method, share in learned.items() if share >= 0.8}
    assert found == (set(ALL) - {"popularity"} if weight else set()), learned


@pytest.fixture(scope="module")
def played() -> pl.DataFrame:
    """300 people who play 6 songs of their genre; by chance, one of them a thousand times as often as another."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(300):
        genre = ("war", "love", "jazz", "folk")[user % 4]
        songs, plays = random.choice(20, 6, replace=False), np.ceil(random.lognormal(1, 2.5, 6))
        rows += [
            {"user": f"u{user:03d}", "movie": f"{genre}-{i:02d}", "minutes": n}
            for i, n in zip(songs, plays, strict=True)
        ]
    return pl.DataFrame(rows)


def test_what_a_few_people_play_day_and_night_does_not_drown_what_all_others_play(
    played: pl.DataFrame, write_conf: Callable[..., Path]
) -> None:
    """With the plays themselves, the embedding finds .79 of what is held out, and EASE .90."""
    conf = conf_of(write_conf, weight="minutes", baselines=["ease"])
    vocabulary, examples = encoded(played, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    found = {}
    for method, dimension in (("embedding", 4), ("ease", None)):
        problem = Problem(examples.training(), vocabulary, conf, dimension, examples.held_out("validation"))
        scores = conf.task.evaluate(estimator(method, conf).fit(problem), examples.held_out("test"))
        found[method] = measure(conf.task, scores)["recall_at_20"]
    assert min(found.values()) > 0.95, found


MIXED = {
    "regression": ("price", ["ridge", {"kind": "pca_boosted_trees", "dimension": 2, "max_trees": 50}], "r2"),
    "classification": (
        "kind",
        ["logistic_regression", {"kind": "pca_boosted_trees", "dimension": 2, "max_trees": 50}],
        "accuracy",
    ),
}


@pytest.mark.parametrize("kind", MIXED)
def test_a_target_is_found_that_only_the_weights_tell(kind: str, write_conf: Callable[..., Path]) -> None:
    """Every wall is of brick, wood and glass. How much of each it has, and nothing else, makes its price and kind."""
    shares = np.random.default_rng(0).dirichlet((1, 1, 1), 400)
    rows = [
        {"wall": f"w{i:03d}", "of": of, "m2": share, "price": 100 + 90 * brick - 60 * glass, "kind": f"is {wood > 0.3}"}
        for i, (brick, wood, glass) in enumerate(shares)
        for of, share in (("brick", brick), ("wood", wood), ("glass", glass))
    ]
    target, baselines, metric = MIXED[kind]
    task = {"kind": kind, "target": target} | ({"log": False} if kind == "regression" else {})
    tokens = [{"kind": "value", "columns": "of"}]
    found = {}
    for weight in ("m2", None):
        settings = {"example": "wall", "tokens": tokens, "weight": weight, "training": {"max_epochs": 60}}
        conf = conf_of(write_conf, task=task, baselines=baselines, **settings)
        vocabulary, examples = encoded(pl.DataFrame(rows), conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        for method in ("embedding", "pca", *(one if isinstance(one, str) else one["kind"] for one in baselines)):
            dimension = 2 if method in ("embedding", "pca") else None
            problem = Problem(examples.training(), vocabulary, conf, dimension, examples.held_out("validation"))
            fitted = estimator(method, conf).fit(problem)
            found[method, weight] = measure(conf.task, conf.task.evaluate(fitted, examples.held_out("test")))[metric]
    chance = 0.1 if kind == "regression" else 0.65
    assert {key for key, value in found.items() if value > chance + 0.15} == {key for key in found if key[1]}, found


def test_what_a_token_weighs_adds_up_over_its_records_and_has_no_unit(
    watched: pl.DataFrame, write_conf: Callable[..., Path]
) -> None:
    conf = conf_of(write_conf, weight="minutes", split={"validation": 0, "test": 0})
    twice = pl.concat([watched, watched.sample(500, seed=1)])
    vocabulary, examples = encoded(twice, conf)
    sums = twice.group_by("user", "movie").agg(pl.col("minutes").sum())
    logarithms = np.log1p(sums["minutes"] / np.exp(np.log(sums["minutes"]).mean()))
    pairs = zip(sums["user"], sums["movie"], strict=True)
    expected = dict(zip(pairs, logarithms / logarithms.mean(), strict=True))
    row = np.repeat(np.arange(len(examples)), np.diff(examples.indptr))
    names = zip(examples.frame["example"].gather(row), vocabulary.decode(examples.indices), strict=True)
    assert dict(zip(names, examples.weights.tolist(), strict=True)) == pytest.approx(expected, rel=1e-6)
    shuffled = twice.sample(fraction=1, shuffle=True, seed=2).with_columns(minutes=pl.col("minutes") * 64)
    assert encoded(shuffled, conf)[1].fingerprint == examples.fingerprint


def test_weights_come_back_from_disk(watched: pl.DataFrame, write_conf: Callable[..., Path], tmp_path: Path) -> None:
    conf = conf_of(write_conf, weight="minutes")
    table = pair_table(watched.lazy(), conf)
    vocabulary = build_vocabulary(table, conf)
    for name, value in (("table", table), ("examples", encode(watched.lazy(), vocabulary, conf, table))):
        (tmp_path / name).mkdir()
        value.save(tmp_path / name)
    again = encode(watched.lazy(), vocabulary, conf, PairTable.load(tmp_path / "table"))
    examples = SparseExamples.load(tmp_path / "examples")
    assert examples.fingerprint == again.fingerprint
    assert (examples.weights == again.weights).all()
    assert (examples.training().inputs.csr() != again.training().inputs.csr()).nnz == 0
    assert examples.training().inputs.sums == pytest.approx(examples.training().inputs.csr().sum(axis=0).A1)


def test_a_record_whose_weight_cannot_be_used_is_set_aside(tmp_path: Path, write_conf: Callable[..., Path]) -> None:
    odd = ["", "0", "-1", "much", "inf"]
    lines = [f"u{i % 9},m{i % 4},{i % 5 + 1}" for i in range(1000)] + [f"u1,m1,{text}" for text in odd]
    (tmp_path / "conf").mkdir(exist_ok=True)
    (tmp_path / "conf" / "rows.csv").write_text("user,movie,minutes\n" + "\n".join(lines) + "\n")
    conf = conf_of(write_conf, weight="minutes", source={"path": "rows.csv"})
    records = ingest(conf, tmp_path / "conf", tmp_path / "records")
    reasons = pl.read_parquet(records.folder / "quarantine.parquet")["reason"].to_list()
    assert records.counts.used == 1000
    assert reasons == [
        "is missing",
        "is not above 0, and would count nothing",
        "is not above 0, and would count nothing",
        "is no number with a decimal point",
        "is not finite",
    ]


def test_a_weight_that_makes_no_sense_is_refused(write_conf: Callable[..., Path]) -> None:
    with pytest.raises(PipelineError, match="`example` has to say which rows are one"):
        conf_of(write_conf, weight="minutes", example=None)
    target = {"kind": "regression", "target": "minutes"}
    with pytest.raises(PipelineError, match="`weight` names the target"):
        conf_of(write_conf, weight="minutes", task=target, baselines=["mean"], training=None)


def test_an_example_is_the_same_whatever_else_is_in_its_file(
    watched: pl.DataFrame, write_conf: Callable[..., Path]
) -> None:
    """Weights are told in shares of those that were learned from, not of those of the file."""
    conf = conf_of(write_conf, weight="minutes")
    vocabulary, examples = encoded(watched, conf)
    scale, plain = WeightScale.of(examples.about), without_answers(conf)
    user = watched.filter(pl.col("user") == "u007")
    alone = unseen(user.lazy(), vocabulary, plain, scale).inputs
    among = unseen(watched.lazy(), vocabulary, plain, scale)
    assert np.array_equal(alone.toarray()[0], among.inputs.toarray()[among.ids.to_list().index("u007")])
    learned = examples.everything().inputs.csr("float64").toarray()[examples.frame["example"].index_of("u007")]
    assert alone.toarray()[0] == pytest.approx(learned, rel=1e-6)
