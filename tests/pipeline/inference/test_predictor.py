import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest

from pipeline.baselines.logistic_regression import LogisticRegression
from pipeline.baselines.pca_boosted_trees import PcaBoostedTrees
from pipeline.baselines.ridge import Ridge
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.inference.predictor import ClassPredictor, NumberPredictor
from pipeline.inference.requests import column
from pipeline.records.tokens.value import ValueTokens
from tests.conftest import NOTED, WORDS, with_baselines


@pytest.fixture
def priced(put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame) -> NumberPredictor:
    found: NumberPredictor = put_to_work(homes, priced_words, "embedding").model
    return found


def test_a_number_comes_with_an_interval_and_with_what_each_word_adds(priced: NumberPredictor) -> None:
    dear, cheap = {"text": "castle garden", "area": 100}, {"text": "ruin damp", "area": 100.0}
    found = priced.predict([dear, cheap])
    assert found.columns == ["predicted", "low", "high"]
    assert (found["low"] < found["predicted"]).all()
    assert (found["predicted"] < found["high"]).all()
    assert found["predicted"][0] > 2 * found["predicted"][1]
    effects = priced.explain({"text": "castle ruin", "area": 100})
    assert effects.columns == ["token", "label", "what it does to price"]
    adds = dict(effects.select("token", pl.last()).rows())
    assert adds["castle"] == pytest.approx(np.expm1(WORDS["castle"]), rel=0.35)
    assert adds["ruin"] == pytest.approx(np.expm1(WORDS["ruin"]), rel=0.35)


def test_the_interval_covers_test_examples_as_it_says(priced: NumberPredictor) -> None:
    facts = priced.facts
    assert (facts["coverage"], facts["calibrated_on"], facts["covered_of"]) == (0.9, 60, 120)
    error = (0.9 * 0.1 * (1 / 60 + 1 / 120)) ** 0.5
    assert facts["covered"] == pytest.approx(0.9, abs=3 * error)


@pytest.mark.parametrize("method", ["embedding", "pca", "mean", "ridge", "boosted_trees", "pca_boosted_trees"])
def test_records_get_the_numbers_that_were_measured_with_every_method(
    method: str, put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    kinds = Baseline.kinds()
    small = PcaBoostedTrees(dimension=2, max_trees=20) if method == "pca_boosted_trees" else None
    added = [] if method in ("embedding", "pca", "mean") else [small or kinds[method]()]
    made = put_to_work(with_baselines(homes, kinds["mean"](), *added), priced_words, method)
    measured = made.scores["test"]
    records = priced_words[measured["example"].cast(pl.Int64).to_list()]
    assert made.model.predict(records)["predicted"].to_list() == pytest.approx(
        measured["predicted"].to_list(), rel=1e-6
    )


@pytest.mark.parametrize("method", ["embedding", "pca", "most_frequent_class", "logistic_regression"])
def test_records_get_the_probabilities_that_were_measured(
    method: str, put_to_work: Callable, notes: Dataset, noted_words: pl.DataFrame
) -> None:
    conf = with_baselines(notes, notes.baseline("most_frequent_class"), LogisticRegression())
    made = put_to_work(conf, noted_words, method)
    measured = made.scores["test"]
    found = made.model.predict(noted_words[measured["example"].cast(pl.Int64).to_list()])
    assert found["predicted"].to_list() == measured["predicted"].to_list()
    of_the_true = [row[target] for row, target in zip(found["probabilities"], measured["target"], strict=True)]
    assert of_the_true == pytest.approx(measured["probability"].to_list(), rel=1e-6)


def test_a_class_has_probabilities_and_words_that_speak_for_it(
    put_to_work: Callable, notes: Dataset, noted_words: pl.DataFrame
) -> None:
    model: ClassPredictor = put_to_work(notes, noted_words, "embedding").model
    (answer,) = model.answers([{"text": "wave gull sail", "hour": 20}], {})
    assert answer["predicted"] == "sea"
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert {one["effect"] for one in answer["because"] if one["token"] in NOTED["sea"]} == {"sea"}


def test_what_is_missing_or_unknown_is_no_error(priced: NumberPredictor) -> None:
    (bare, odd) = priced.answers([{}, {"text": "castle moat", "area": None, "price": 1.0}], {})
    assert (bare["unknown"], odd["unknown"]) == ([], ["moat"])  # the target may stand there, and is not read
    assert [one["token"] for one in odd["because"]] == ["castle"]
    assert priced.answers([{"text": "castle"}], {"why": False})[0]["because"] == []
    assert priced.answers([{"area": " na "}, {"area": ""}, {"text": "NA"}], {}) == priced.answers([{}] * 3, {})
    assert priced.answers([{"area": 10**40}], {}) == priced.answers([{"area": 1e40}], {})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"area": "large"}, "row 1, area: is 'large', and a number is asked for"),
        ({"area": float("inf")}, "row 1, area: is inf, and a number up to 1e\\+100 is asked for"),
        ({"area": "-1e300"}, "row 1, area: is '-1e300', and a number up to 1e\\+100 is asked for"),
        ({"area": -(10**400)}, "row 1, area: is -10+\\.\\.\\., and a number up to 1e\\+100 is asked for"),
        ({"area": True}, "row 1, area: is True, and a number"),
        ({"area": [1]}, "row 1, area: is"),
        ({"aera": 1}, "row 1: there is no column 'aera', did you mean 'area'"),
        ({"text": ["a"]}, "row 1, text: is"),
    ],
)
def test_a_value_of_another_kind_is_told(row: dict[str, Any], said: str, priced: NumberPredictor) -> None:
    with pytest.raises(PipelineError, match=said):
        priced.answers([row], {})


def test_what_is_unknown_is_named_also_where_it_shares_a_place(
    put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    shared = homes.vocabulary.model_copy(update={"max_size": 4, "unknown": "share"})
    model = put_to_work(homes.model_copy(update={"vocabulary": shared}), priced_words).model
    known = next(word for word in model.embedding.vocabulary.labels if word in WORDS)
    (answer,) = model.answers([{"text": f"{known} moat"}], {})
    assert answer["unknown"] == ["moat"]
    assert "<unknown>" in [one["token"] for one in answer["because"]]


def test_values_are_read_in_the_dtype_of_the_source() -> None:
    days = column("day", ["2024-02-01", None], pl.Date())
    assert days.to_list() == [date(2024, 2, 1), None]
    assert column("n", ["20", 3.0, None], pl.Int64()).to_list() == [20, 3, None]
    assert column("text", [20, "a"], pl.String()).to_list() == ["20", "a"]
    assert column("sold", ["true", "False", True, None], pl.Boolean()).to_list() == [True, False, True, None]
    assert column("tags", [["a"], None], pl.List(pl.String)).to_list() == [["a"], None]
    with pytest.raises(PipelineError, match="row 1, day: is 'soon', and a date such as 2024-03-31 is asked for"):
        column("day", ["soon"], pl.Date())
    with pytest.raises(PipelineError, match="row 1, tags: is 'a', and a list is asked for"):
        column("tags", ["a"], pl.List(pl.String))
    with pytest.raises(PipelineError, match=r"row 1, text: is \['a'\], and a text is asked for"):
        column("text", [["a"]], pl.String())


@pytest.mark.parametrize("is_text", [False, True])
def test_a_number_that_is_true_or_false_is_asked_for_as_it_is(
    is_text: bool, put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    """Also where it is a text that says so, as in a CSV file."""
    records = priced_words.with_columns(area=pl.col("area") > priced_words["area"].median())
    if is_text:
        text, read = (
            pl.col("area").cast(pl.String).str.to_titlecase(),
            {"area (number)": pl.col("area").cast(pl.Float64)},
        )
        records = records.with_columns(text, **read)
    made = put_to_work(with_baselines(homes, Baseline.kinds()["ridge"]()), records, "ridge")
    measured = made.scores["test"]
    asked = records[measured["example"].cast(pl.Int64).to_list()].to_dicts()
    expected = pytest.approx(measured["predicted"].to_list(), rel=1e-6)
    assert made.model.predict(asked)["predicted"].to_list() == expected
    for write in (lambda one: str(one) == str(True), lambda one: float(str(one) == str(True))):
        rows = [{**one, "area": write(one["area"])} for one in asked]
        assert made.model.predict(rows)["predicted"].to_list() == expected
    assert made.model.example()[0]["area"] is (str(records["area"][0]).lower() == "true")


def test_numbers_and_truths_in_a_column_of_texts_are_read_as_the_source_writes_them(
    put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    more = {"rooms": ["2", "3", "04"], "sold": ["True", "False"]}
    records = priced_words.with_columns(
        pl.Series(name, texts).gather(np.arange(priced_words.height) % len(texts)) for name, texts in more.items()
    )
    value = ValueTokens(kind="value", columns=tuple(more))
    model = put_to_work(homes.model_copy(update={"tokens": (*homes.tokens, value)}), records).model
    as_texts = [{"rooms": "3", "sold": "True"}, {"rooms": "04", "sold": "False"}, {"rooms": "5", "sold": None}]
    as_values = [{"rooms": 3.0, "sold": True}, {"rooms": 4, "sold": False}, {"rooms": 5, "sold": None}]
    expected, found = (model.answers(rows, {}) for rows in (as_texts, as_values))
    assert found == expected
    assert [answer["unknown"] for answer in found] == [[], [], ["rooms=5"]]


def test_the_tokens_of_a_record_count_as_much_as_its_weight_says(
    put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    n = priced_words.height
    records = priced_words.with_columns(id=pl.int_range(n).cast(pl.String), stars=pl.Series(1 + np.arange(n) % 5))
    homes = with_baselines(homes, Ridge(weighting="binary"))
    homes = homes.model_copy(update={"example": "id", "weight": "stars"})
    made = put_to_work(homes, records, "ridge")
    measured, model = made.scores["test"], made.model
    asked = records[measured["example"].cast(pl.Int64).to_list()].to_dicts()
    assert model.predict(asked)["predicted"].to_list() == pytest.approx(measured["predicted"].to_list(), rel=1e-6)
    mean, bare = {**asked[0], "stars": model.facts["mean_weight"]}, {**asked[0], "stars": None}
    assert model.predict([mean]).equals(model.predict([bare]))
    light, heavy = (model.explain({**asked[0], "stars": stars}) for stars in (1, 5))
    assert heavy.item(0, 2) == pytest.approx((1 + light.item(0, 2)) ** 5 - 1, rel=1e-4)
    with pytest.raises(PipelineError, match="row 2, stars: is 0, and a number above 0"):
        model.predict([mean, {**mean, "stars": 0}])


@pytest.mark.parametrize("method", ["embedding", "ridge"])
@pytest.mark.parametrize("stars", [1e-100, 1e30, 1e100])
def test_whatever_the_weight_an_answer_is_json_that_every_language_reads(
    stars: float, method: str, put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    records = priced_words.with_row_index("id").with_columns(stars=pl.lit(1.0))
    homes = with_baselines(homes, Ridge(weighting="binary"))
    homes = homes.model_copy(update={"example": "id", "weight": "stars", "precision": 32})
    model = put_to_work(homes, records, method).model
    json.dumps(model.answers([{"text": word, "stars": stars} for word in WORDS], {}), allow_nan=False)


def test_no_records_have_no_predictions_and_a_frame_of_pandas_is_read_by_its_rows(priced: NumberPredictor) -> None:
    record = {"text": "castle garden", "area": 100.0}
    assert priced.predict([]).schema == priced.predict([record]).schema
    assert priced.predict(pl.DataFrame([record]).clear()).height == 0
    frame: Any = pd.DataFrame([record, record])
    assert priced.predict(frame).equals(priced.predict([record, record]))
    assert priced.predict(pl.LazyFrame([record, record])).equals(priced.predict(frame))
    for odd in (None, 3):
        with pytest.raises(PipelineError, match=r"records: is .*, and a frame or a list of dictionaries is asked for"):
            priced.predict(odd)  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match=r"row 1: is 1, and values by the names of columns are asked for"):
        priced.predict(pd.Series([1]))
    with pytest.raises(PipelineError, match=r"row 1: is 'text', and values by the names of columns are asked for"):
        priced.predict(record)  # type: ignore[arg-type]


def test_its_own_example_can_be_asked(priced: NumberPredictor, priced_words: pl.DataFrame) -> None:
    assert priced.example() == [{"text": priced_words["text"][0], "area": priced_words["area"][0]}]
    assert priced.columns() == {"text": "any", "area": "any"}
    assert priced.predict(priced.example()).height == 1


def test_a_number_in_a_request_may_be_written_as_in_the_source(
    put_to_work: Callable, homes: Dataset, priced_words: pl.DataFrame
) -> None:
    area = pl.col("area").round(1)
    texts = (area.cast(pl.String).str.replace(".", ",", literal=True) + " m²").alias("area")
    records = priced_words.with_columns(texts, area.alias("area (number)"))
    written = {"decimals": {"area": ","}, "units": {"area": "m²"}}
    model = put_to_work(homes, records, "embedding", written=written).model
    (plain,) = model.answers([{"text": "castle", "area": 109.5}], {})
    for area_ in ("109,5 m²", "109,5 m2", "109,5", "109.5", " 109,5 qm "):
        assert model.answers([{"text": "castle", "area": area_}], {}) == [plain]
    (thousand,) = model.answers([{"text": "castle", "area": 1095}], {})
    for area_ in ("1.095 m²", "1.095", "1095"):  # with a comma before decimals, a point stands between thousands
        assert model.answers([{"text": "castle", "area": area_}], {}) == [thousand]
    assert model.answers([{"text": "castle", "area": "-"}], {}) == model.answers([{"text": "castle"}], {})
    for other in ("109 ft²", "$109", "large"):
        with pytest.raises(PipelineError, match=rf"row 1, area: is '{re.escape(other)}', and a number in m² is asked"):
            model.answers([{"area": other}], {})
