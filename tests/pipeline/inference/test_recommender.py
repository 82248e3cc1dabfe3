from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.inference import InferenceSettings
from pipeline.errors import PipelineError
from pipeline.inference.recommender import Recommender
from pipeline.inference.requests import short
from tests.conftest import MOVIES, genre_of, with_baselines

DESCRIBED = {
    **MOVIES,
    "tokens": [{"kind": "value", "columns": "movie", "label": "title", "about": ["genre", "year"]}],
}
WAR = ["war-00", "War-01", "war-02"]


@pytest.fixture
def described_movies(two_genres: pl.DataFrame) -> pl.DataFrame:
    number = pl.col("movie").str.slice(-2).cast(pl.Int64)
    return two_genres.with_columns(genre=pl.col("movie").str.split("-").list.first(), year=1980 + number)


@pytest.fixture
def model(put_to_work: Callable, write_conf: Callable, described_movies: pl.DataFrame) -> Recommender:
    found: Recommender = put_to_work(load(write_conf("films", DESCRIBED, described_movies)), described_movies).model
    return found


def test_a_list_of_war_films_gets_war_films_that_are_not_in_it(model: Recommender) -> None:
    found = model.recommend(WAR, k=10)
    assert {genre_of(token) for token in found.frame["token"]} == {"war"}
    assert not {"war-00", "war-01", "war-02"} & set(found.frame["token"])
    assert found.frame["score"].is_sorted(descending=True)
    assert found.frame.columns == ["token", "label", "count", "score", "because", "genre", "year"]
    assert found.unknown == []


def test_columns_of_the_source_may_have_the_names_of_an_answer_s_own(
    put_to_work: Callable, write_conf: Callable, described_movies: pl.DataFrame
) -> None:
    records = described_movies.rename({"genre": "label", "year": "count"}).with_columns(support=pl.lit("good"))
    about = {**DESCRIBED["tokens"][0], "about": ["label", "count", "support"]}
    model = put_to_work(load(write_conf("films", {**DESCRIBED, "tokens": [about]}, records)), records).model
    found = model.recommend(WAR, k=5, where="\"label (of the source)\" = 'love' and count > 0").frame
    assert found["label (of the source)"].to_list() == ["love"] * 5
    assert found["count (of the source)"].min() >= 1980
    assert {"label (of the source)", "support (of the source)"} < {*model.similar("war-00").columns}


def test_each_recommendation_names_the_given_films_that_pull_towards_it(model: Recommender) -> None:
    found = model.recommend([*WAR, "love-00"], k=5)
    for token, because in found.frame.select("token", "because").iter_rows():
        assert genre_of(because[0]["token"]) == genre_of(token)
        assert all(pull["pull"] > 0 for pull in because)
    alone, without = (model.recommend(tokens, k=40).frame for tokens in (WAR, WAR[:2]))
    score, less = (frame.filter(token="war-05")["score"].item() for frame in (alone, without))
    pulls = {pull["token"]: pull["pull"] for pull in alone.filter(token="war-05")["because"].item()}
    assert pulls.get("war-02", 0.0) == pytest.approx(max(score - less, 0.0), abs=1e-5)


def test_tokens_can_be_left_out_by_name_or_by_a_condition(model: Recommender) -> None:
    best = model.recommend(WAR, k=3).frame["token"].to_list()
    assert not set(best[:2]) & set(model.recommend(WAR, k=10, exclude=["War-02", *best[:2]]).frame["token"])
    late = model.recommend(WAR, k=40, where="year > 1990 and genre = 'love'").frame
    assert set(late["token"]) == {f"love-{i:02d}" for i in range(11, 20)}
    with pytest.raises(
        PipelineError, match=r"where: 'yeer > 1990' cannot be read: .*columns token, label, count, genre"
    ):
        model.recommend(WAR, where="yeer > 1990")
    with pytest.raises(PipelineError, match="'year' is no condition"):
        model.recommend(WAR, where="year")


def test_what_is_unknown_is_named_and_the_others_still_answer(model: Recommender) -> None:
    found = model.recommend([*WAR, "Warr-03", "nothing like it"])
    assert found.frame["token"].to_list() == model.recommend(WAR).frame["token"].to_list()
    assert [unknown.given for unknown in found.unknown] == ["Warr-03", "nothing like it"]
    assert "War-03" in found.unknown[0].suggestions
    assert "unknown: 'Warr-03', did you mean" in repr(found)
    assert model.recommend(["nothing"]).frame.height == 10  # what is popular


def test_lists_of_numbers_are_read_and_what_is_no_list_is_told(model: Recommender) -> None:
    asked: Any
    assert [text.given for text in model.recommend([5, 7]).unknown] == ["5", "7"]  # type: ignore[list-item]
    assert model.embed([5, 7]).tolist() == [0, 0]  # type: ignore[list-item]
    for asked, said in (("war-01", "is 'war-01', and a list of texts"), ([None], "has missing, and a text")):
        with pytest.raises(PipelineError, match=said):
            model.recommend(asked)
        with pytest.raises(PipelineError, match=said):
            model.embed([["war-01"], asked] if isinstance(asked, list) else asked)
    for asked, said in ((5, "'5' is not in the vocabulary"), (None, "token: has missing, and a text is asked for")):
        with pytest.raises(PipelineError, match=said):
            model.similar(asked)


def test_a_column_of_pandas_is_a_list_and_less_than_nothing_is_nothing(model: Recommender) -> None:
    column: Any = pd.Series(WAR, index=[7, 8, 9])
    assert model.recommend(column).frame.equals(model.recommend(WAR).frame)
    assert model.embed(column).tolist() == model.embed(WAR).tolist()


def test_what_cannot_be_asked_is_told_in_a_sentence(model: Recommender) -> None:
    asked: Any
    for asked in (1.5, 0, -1, "3", None, True):
        for ask in (partial(model.recommend, WAR), partial(model.similar, "war-00"), partial(model.analogy, *WAR)):
            with pytest.raises(PipelineError, match=f"^k: is {short(asked)}, and a whole number from 1 is asked for"):
                ask(k=asked)
    assert model.recommend(WAR, k=np.int64(3)).frame.height == 3  # type: ignore[arg-type]
    for asked in (None, 3, {"war-00"}, {"a": "war-00"}, iter(WAR)):
        with pytest.raises(PipelineError, match=r"tokens: is .*, and a list of texts is asked for"):
            model.embed(asked)
    with pytest.raises(PipelineError, match="lists: is missing, and a list of lists is asked for"):
        model.recommend_all(None)  # type: ignore[arg-type]
    for asked in (3, pl.col("year") > 1990):
        with pytest.raises(PipelineError, match=r"where: is .*, and a condition in SQL is asked for"):
            model.recommend(WAR, where=asked)
    with pytest.raises(PipelineError, match=r"list 1: is shape: \(3, 1\)\.\.\., and a list of texts is asked for"):
        model.recommend(pl.DataFrame({"film": WAR}))  # type: ignore[arg-type]


def test_a_request_is_answered_in_plain_data(model: Recommender) -> None:
    (first, second) = model.answers([{"tokens": WAR}, {"tokens": ["love-00", "x"]}], {"k": 2, "why": False})
    assert [genre_of(one["token"]) for one in first["recommendations"]] == ["war", "war"]
    assert first["recommendations"][0].keys() == {"token", "label", "score", "because"}
    assert second["unknown"] == [{"given": "x", "suggestions": []}]


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([], {}, "the request has 0 rows"),
        ([{"tokens": []}], {}, "row 1, tokens: is empty"),
        ([{"tokens": ["a"] * 10_001}], {}, "row 1, tokens: has 10,001 tokens, and 10,000 at most"),
        ([{"tokens": ["a"]}, {"tokens": "a"}], {}, "row 2, tokens: is 'a', and a list of texts is asked for"),
        ([{"tokens": [None]}], {}, "row 1, tokens: has missing, and a text"),
        ([{"token": ["a"]}], {}, "row 1: there is no field 'token'; there is: tokens"),
        ([{"tokens": ["a"]}], {"top": 3}, "params: there is no 'top'; there is: k, exclude, where, why"),
        ([{"tokens": ["a"]}], {"k": 0}, "params, k: is 0, and a whole number from 1"),
        ([{"tokens": ["a"]}], {"exclude": "a"}, "params, exclude: is 'a', and a list"),
    ],
)
def test_a_request_that_cannot_be_understood_is_told_in_a_sentence(
    rows: list[dict[str, Any]], options: dict[str, Any], said: str, model: Recommender
) -> None:
    with pytest.raises(PipelineError, match=said):
        model.answers(rows, options)


def test_neighbours_analogies_and_places_know_labels(model: Recommender) -> None:
    similar = model.similar("War-00", k=5)
    assert {genre_of(token) for token in similar["token"]} == {"war"}
    assert similar["token"].to_list() == model.embedding.neighbours("war-00", k=5)["token"].to_list()
    assert genre_of(model.analogy("war-00", minus="war-01", plus="love-01", k=1)["token"].item()) == "love"
    one, both = model.embed(["war-00"]), model.embed([["War-00", "unknown"], []])
    assert one.shape == (2,)
    assert both == pytest.approx(np.stack([one, np.zeros(2)]))
    with pytest.raises(PipelineError, match="did you mean 'War-03'"):
        model.similar("Warr-03")


@pytest.mark.parametrize("method", ["embedding", "pca", "popularity", "als", "ease", "item_knn", "course_network"])
def test_the_model_finds_what_was_measured_with_every_method(
    method: str, put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame
) -> None:
    baselines = [] if method in ("embedding", "pca") else [Baseline.named(method)()]  # type: ignore[call-arg]
    made = put_to_work(with_baselines(movies, *baselines), two_genres, method)
    rows, tokens = made.examples.held_out("test"), made.vocabulary.tokens["token"]
    measured = made.scores["test"]
    assert made.conf.task.evaluate(made.model.fitted, rows).equals(measured)

    lists = [tokens.gather(row.indices).to_list() for row in rows.inputs.csr()]
    recalls = []
    for one, row in zip(made.model.recommend_all(lists, k=21, why=False), rows.labels.csr(), strict=True):
        first, scores = one.frame["token"].head(20), one.frame["score"]
        is_a_tie = scores[19] == scores[20]  # then either of both may be the twentieth
        recalls.append(None if is_a_tie else len(set(first) & set(tokens.gather(row.indices))) / row.nnz)
    same = [recall in (None, pytest.approx(of)) for recall, of in zip(recalls, measured["recall_at_20"], strict=True)]
    assert all(same)


def test_with_an_index_nearly_the_same_is_recommended(
    put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame
) -> None:
    exact = put_to_work(movies, two_genres).model
    settings = InferenceSettings(exact_up_to=10)
    searched = put_to_work(movies.model_copy(update={"inference": settings}), two_genres, name="searched").model
    assert (exact.uses_index, searched.uses_index) == (False, True)
    assert "recall" not in exact.facts
    assert searched.facts["recall"] > 0.98
    assert searched.recommend(WAR).frame["token"].to_list() == exact.recommend(WAR).frame["token"].to_list()
