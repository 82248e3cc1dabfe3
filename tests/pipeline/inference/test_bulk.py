import logging
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from polars.testing import assert_frame_equal

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.inference.bulk import recommend_each
from pipeline.inference.file_scoring import score_file
from pipeline.inference.model import Model
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary
from tests.pipeline.examples.test_recency import IN_ORDER
from tests.pipeline.network.test_order import walks


def test_an_earlier_model_reads_today_s_weights_in_its_own_unit(
    put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame, tmp_path: Path
) -> None:
    """Today's weights are larger; the same lists get what they get from a file."""
    stars = two_genres.with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    movies = movies.model_copy(update={"weight": "stars"})
    model = put_to_work(movies, stars).model
    more = stars.with_columns(user=pl.format("new-{}", "user"), stars=pl.lit(50.0))
    today = pl.concat([stars, more])
    vocabulary = build_vocabulary(pair_table(today.lazy(), movies), movies)
    examples, log = encode(today.lazy(), vocabulary, movies), logging.getLogger("test")
    assert examples.about["typical_weight"] > 2 * model.facts["typical_weight"]
    each = recommend_each(model, examples, vocabulary, tmp_path / "each", log).frame.collect()
    stars.write_csv(tmp_path / "old.csv")
    (tmp_path / "work").mkdir()
    told = score_file(model, str(tmp_path / "old.csv"), tmp_path / "old.parquet", tmp_path / "work", log)
    scored = pl.read_parquet(told.path)
    own = each.filter(~pl.col("example").str.starts_with("new-"))
    assert_frame_equal(own.sort("example", "rank"), scored.sort("example", "rank"), rel_tol=1e-5)
    (tmp_path / "taken").mkdir()
    with pytest.raises(PipelineError, match="taken: is a folder, but the answers are a file of this name"):
        score_file(model, str(tmp_path / "old.csv"), tmp_path / "taken", tmp_path / "work", log)
    assert not any((tmp_path / "taken").iterdir())


@pytest.mark.parametrize("example", ["id", None])
def test_numbers_that_a_file_lacks_count_as_those_that_a_request_lacks(
    example: str | None,
    put_to_work: Callable,
    homes: Dataset,
    priced_words: pl.DataFrame,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = priced_words.with_row_index("id").with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    homes = homes.model_copy(update={"example": example, "weight": "stars" if example else None})
    model, asked = put_to_work(homes, records, "embedding").model, records.head(5).select("id", "text")
    asked.with_columns(aera=1).write_csv(tmp_path / "new.csv")
    (tmp_path / "work").mkdir()
    caplog.set_level(logging.INFO)
    log = logging.getLogger("test")
    told = score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", tmp_path / "work", log)
    scored = pl.read_parquet(told.path)
    expected = model.predict(asked.select("text"))
    assert_frame_equal(scored.select(expected.columns), expected, rel_tol=1e-6)
    assert "stars" not in scored.columns
    assert "new.csv: there is no column 'area', so all its values count as missing; did you mean 'aera'?" in caplog.text
    assert ("there is no column 'stars'" in caplog.text) == (example is not None)


def test_a_file_without_weights_gets_what_its_lists_get(
    put_to_work: Callable,
    movies: Dataset,
    two_genres: pl.DataFrame,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stars = two_genres.with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    model = put_to_work(movies.model_copy(update={"weight": "stars"}), stars).model
    caplog.set_level(logging.INFO)
    (tmp_path / "new.csv").write_text("user,movie\nn,war-00\nn,love-01\nn,war-00\n")  # watched twice: named once
    (tmp_path / "work").mkdir()
    log = logging.getLogger("test")
    told = score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", tmp_path / "work", log)
    scored, listed = pl.read_parquet(told.path).head(10), model.recommend(["war-00", "love-01"]).frame
    assert_frame_equal(scored.select("token", "score"), listed.select("token", "score"), rel_tol=1e-6)
    assert "3 records can be used" in caplog.text
    (tmp_path / "new.csv").write_text("user,movie\nn,war-00\n")
    (tmp_path / "again").mkdir()
    score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", tmp_path / "again", log)
    assert "1 record can be used" in caplog.text


def test_tokens_that_share_a_place_count_in_a_list_as_they_do_in_a_file(
    put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame, tmp_path: Path
) -> None:
    shared = movies.vocabulary.model_copy(update={"min_count": 20, "unknown": "share"})
    model = put_to_work(movies.model_copy(update={"vocabulary": shared}), two_genres).model
    (tmp_path / "new.csv").write_text("user,movie\nn,war-07\nn,unheard of\n")
    (tmp_path / "work").mkdir()
    log = logging.getLogger("test")
    told = score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", tmp_path / "work", log)
    scored, answer = pl.read_parquet(told.path).head(10), model.recommend(["war-07", "unheard of"])
    assert_frame_equal(scored.select("token", "score"), answer.frame.select("token", "score"), rel_tol=1e-6)
    assert [unknown.given for unknown in answer.unknown] == ["unheard of"]


@pytest.mark.parametrize(("learned", "now"), [(None, "stars"), ("stars", "minutes")])
def test_a_model_of_other_weights_than_today_s_recommends_what_it_would_for_a_file(
    learned: str | None, now: str, put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame, tmp_path: Path
) -> None:
    """To one without weights all tokens count the same; another column is not read in the unit of the first."""
    stars = two_genres.with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    records = stars.with_columns(minutes=60 * pl.col("stars"))
    model = put_to_work(movies.model_copy(update={"weight": learned}), records).model
    today = movies.model_copy(update={"weight": now})
    vocabulary = build_vocabulary(pair_table(records.lazy(), today), today)
    examples, log = encode(records.lazy(), vocabulary, today), logging.getLogger("test")
    each = recommend_each(model, examples, vocabulary, tmp_path / "each", log).frame.collect()
    records.write_csv(tmp_path / "same.csv")
    (tmp_path / "work").mkdir()
    told = score_file(model, str(tmp_path / "same.csv"), tmp_path / "same.parquet", tmp_path / "work", log)
    scored = pl.read_parquet(told.path)
    assert_frame_equal(each.sort("example", "rank"), scored.sort("example", "rank"), rel_tol=1e-5)


def test_where_the_order_was_learned_all_answers_look_at_what_came_last(
    put_to_work: Callable, write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    lists = walks(600)
    records = pl.DataFrame({"songs": [" ".join(one) for one in lists]})
    training, primary = {"temperature": 0.15, "max_epochs": 20}, {"kind": "missing_tokens", "primary": "ndcg_at_20"}
    settings = {"training": training, "task": primary, "dimensions": [4], "seeds": 1, "inference": {"top": 3}}
    conf = load(write_conf("songs", {**IN_ORDER, **settings}, records))
    made = put_to_work(conf, records, "embedding")
    model, log = made.model, logging.getLogger("test")
    assert 0 < model.fitted.decay < 0.5
    assert model.evaluate(made.examples) == pytest.approx(measure(made.conf.task, made.scores["test"]))
    forth, back = (model.recommend(tokens, k=3).frame for tokens in (["t10", "t30"], ["t30", "t10"]))
    assert set(forth["token"]) < {f"t{place}" for place in range(28, 36)}
    assert set(back["token"]) < {f"t{place}" for place in range(8, 16)}
    assert forth["because"][0][0]["token"] == "t30"
    assert back["because"][0][0]["token"] == "t10"
    pl.DataFrame({"songs": ["t10 t30", "t30 t10", "t99"]}).write_csv(tmp_path / "new.csv")
    score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", tmp_path / "work", log)
    answers = pl.read_parquet(tmp_path / "new.parquet").partition_by("example", maintain_order=True)
    assert [one["token"].to_list() for one in answers[:2]] == [forth["token"].to_list(), back["token"].to_list()]
    each = recommend_each(model, made.examples, made.vocabulary, tmp_path / "each", log).frame.collect()
    asked = model.recommend(lists[7], k=3).frame["token"].to_list()
    assert each.filter(example="7").sort("rank")["token"].to_list() == asked
    # a larger vocabulary, as after the data has grown: the older model still knows the order
    tokens = made.vocabulary.tokens
    more = Vocabulary.of(dict(zip([*tokens["token"], "new"], [*tokens["count"], 1], strict=True)))
    examples = encode(pl.concat([records, pl.DataFrame({"songs": ["new t10 t30"]})]).lazy(), more, conf)
    each = recommend_each(model, examples, more, tmp_path / "later", log).frame.collect()
    assert each.filter(example="7").sort("rank")["token"].to_list() == asked
    assert each.filter(example="600").sort("rank")["token"].to_list() == forth["token"].to_list()


def test_a_file_with_times_is_read_in_their_order_and_one_without_in_its_own(
    put_to_work: Callable, write_conf: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"u{i}", token, i + 60 * at) for i, one in enumerate(walks(600)) for at, token in enumerate(one)]
    records = pl.DataFrame(rows, schema=["user", "movie", "at"], orient="row").sample(fraction=1, shuffle=True, seed=1)
    of_time = {"example": "user", "split": {"time": "at", "hold_out": "last"}, "seeds": 1, "inference": {"top": 3}}
    tokens = {"tokens": [{"kind": "value", "columns": "movie"}], "dimensions": [4], "description": "Planted: walks."}
    task = {"task": {"kind": "missing_tokens", "primary": "ndcg_at_20"}}
    learned = {"training": {"temperature": 0.15, "max_epochs": 20}}
    conf = load(write_conf("walks", {**tokens, **of_time, **task, **learned}, records))
    model, log = put_to_work(conf, records, "embedding").model, logging.getLogger("test")
    caplog.set_level(logging.INFO)
    # times of 255 and others are no sign of anything
    new = pl.DataFrame({"user": ["a", "a", "b", "b"], "movie": ["t10", "t30", "t30", "t10"], "at": [255, 7, 255, 7]})
    recommended = {end: model.recommend(tokens, k=3).frame["token"].to_list()
                   for end, tokens in (("t10", ["t30", "t10"]), ("t30", ["t10", "t30"]))}  # fmt: skip
    for name, frame, ends in (("timed", new, ["t10", "t30"]), ("untimed", new.drop("at"), ["t30", "t10"])):
        frame.write_csv(tmp_path / f"{name}.csv")
        (tmp_path / name).mkdir()
        score_file(model, str(tmp_path / f"{name}.csv"), tmp_path / f"{name}.parquet", tmp_path / name, log)
        answers = pl.read_parquet(tmp_path / f"{name}.parquet").partition_by("example", maintain_order=True)
        assert [one["token"].to_list() for one in answers] == [recommended[end] for end in ends]
        said = "there is no column 'at', so the tokens of an example came in the order of the file" in caplog.text
        assert said == (name == "untimed")


def test_numbers_of_a_file_have_the_unit_that_was_learned_from(
    put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame, tmp_path: Path
) -> None:
    area = pl.col("area").round(0).cast(pl.Int64)
    records = priced_words.with_columns(pl.format("{} m²", area).alias("area"), area.alias("area (number)"))
    written = {"decimals": {"area": "."}, "units": {"area": "m²"}}
    model, log = put_to_work(homes, records, written=written).model, logging.getLogger("test")

    def scored(area: list[str]) -> pl.DataFrame:
        pl.DataFrame({"text": ["castle"] * len(area), "area": area}).write_csv(tmp_path / "new.csv")
        (work := tmp_path / f"work {len(area)} {area[0]}".replace("/", "")).mkdir()
        told = score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", work, log)
        return pl.read_parquet(told.path).with_columns(why=pl.lit(told.why))

    assert scored(["109 m²", "109"])["predicted"].n_unique() == 1
    assert scored(["109"])["predicted"][0] == scored(["109 m2"])["predicted"][0]
    found = scored(["1173 ft²", "1173 sq ft", "109 m²"])
    assert found["area"].to_list() == ["109 m²"]
    assert found["why"][0].startswith("2 x area: has the unit ft², and the others have m² (first ")
    with pytest.raises(PipelineError, match="has the unit ft², and the others have m²"):
        scored(["1173 ft²", "1173 ft²"])


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("skip", [0, 3])
def test_a_file_may_have_more_lines_above_its_names_than_what_was_learned_from_or_fewer(
    skip: int,
    kind: str,
    put_to_work: Callable,
    homes: Dataset,
    priced_words: pl.DataFrame,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = homes.source.model_copy(update={"skip": skip})
    model = put_to_work(homes.model_copy(update={"source": source}), priced_words).model
    asked, predicted = priced_words.head(5), []
    for n_above in (skip, 0, 2, 4):
        (folder := tmp_path / f"{n_above} above {len(predicted)}").mkdir()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            told = score_file(
                model,
                str(written(asked, folder, kind, n_above)),
                folder / "new.parquet",
                folder,
                logging.getLogger("test"),
            )
        predicted.append(pl.read_parquet(told.path)["predicted"].to_list())
        said = f"the names of the columns stand in line {n_above + 1}, and not in line {skip + 1}"
        assert (said in caplog.text) == (n_above != skip)
    assert all(one == predicted[0] for one in predicted)
    assert len(predicted[0]) == 5
    with pytest.raises(PipelineError, match=r"there is no column 'text' in .*, did you mean 'txet'"):
        score_file(
            model,
            str(written(asked.rename({"text": "txet"}), tmp_path, kind, skip)),
            tmp_path / "new.parquet",
            tmp_path,
            logging.getLogger("test"),
        )


@pytest.mark.parametrize("title", ["Homes", "Homes,,"])
def test_no_record_is_taken_for_a_title_where_no_line_has_names(
    title: str, put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame, tmp_path: Path
) -> None:
    source = homes.source.model_copy(update={"columns": ("text", "area", "price"), "skip": 2})
    model, log = put_to_work(homes.model_copy(update={"source": source}), priced_words).model, logging.getLogger("test")
    asked, found = priced_words.filter(pl.col("text") != "").head(5), []
    for n_above in (2, 1, 0):
        (folder := tmp_path / str(n_above)).mkdir()
        (folder / "new.csv").write_text(f"{title}\n" * n_above + asked.write_csv(include_header=False))
        found.append(score_file(model, str(folder / "new.csv"), folder / "new.parquet", folder, log))
    assert [one.n_records for one in found] == [5, 5, 5]
    assert_frame_equal(found[0].first, found[2].first)


def written(frame: pl.DataFrame, folder: Path, kind: str, n_above: int) -> Path:
    """A file with so many lines above the names of its columns."""
    path = folder / f"new.{kind}"
    if kind == "csv":
        path.write_text("A title\n" * n_above + frame.write_csv())
    else:
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for i, row in enumerate([*([["A title"]] * n_above), frame.columns, *frame.rows()]):
                sheet.write_row(i, 0, row)
    return path


def answers(model: Model, content: bytes, folder: Path) -> pl.DataFrame:
    """The answers to a file with this content, in a folder of its own."""
    folder.mkdir()
    (folder / "new.csv").write_bytes(content)
    score_file(model, str(folder / "new.csv"), folder / "new.parquet", folder, logging.getLogger("test"))
    return pl.read_parquet(folder / "new.parquet")


def test_a_file_in_utf_8_is_read_as_such_though_what_was_learned_from_was_not(
    put_to_work: Callable,
    homes: Dataset,
    priced_words: pl.DataFrame,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = priced_words.with_columns(pl.col("text").str.replace_all("castle", "château"))
    source = homes.source.model_copy(update={"encoding": "cp1252"})
    model = put_to_work(homes.model_copy(update={"source": source}), records).model
    asked, found = records.filter(pl.col("text").str.contains("château")).head(5), []
    caplog.set_level(logging.INFO)
    for encoding in ("cp1252", "utf-8"):
        caplog.clear()
        found.append(answers(model, asked.write_csv().encode(encoding), tmp_path / encoding))
        assert ("is in UTF-8, and not in cp1252" in caplog.text) == (encoding == "utf-8")
    assert_frame_equal(*found)
    assert found[0]["unknown"].list.len().sum() == 0


def test_a_file_may_have_another_separator_and_another_mark_before_decimals_than_what_was_learned_from(
    put_to_work: Callable,
    homes: Dataset,
    priced_words: pl.DataFrame,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = homes.source.model_copy(update={"separator": ";"})
    model = put_to_work(homes.model_copy(update={"source": source}), priced_words).model
    asked, found = priced_words.select("text", pl.col("area").round(2)).head(5), []
    caplog.set_level(logging.INFO)
    for n_above, separator in enumerate((";", ",", "\t")):
        text = asked.write_csv(separator=separator, decimal_comma=separator == ";", quote_style="always")
        caplog.clear()
        answered = answers(model, ("A title\n" * n_above + text).encode(), tmp_path / str(n_above))
        found.append(answered["predicted"].to_list())
        line = "the values are not separated by ';' as in what was learned from"
        assert (line in caplog.text) == (separator != ";")
    assert found[0] == found[1] == found[2]
