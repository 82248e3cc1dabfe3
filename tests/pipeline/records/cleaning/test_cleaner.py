import random
from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.examples.encoding import encode
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.records.source import streams
from pipeline.vocabulary.counted import count as counted

HOMES: dict[str, Any] = {
    "description": "Any.",
    "source": {"path": "records.csv"},
    "example": "id",
    "tokens": [{"kind": "items", "columns": "words", "max_tokens": 3}],
    "task": {"kind": "regression", "target": "price", "dense": ["area"]},
    "dimensions": [1],
}
PAIRS: dict[str, Any] = {
    "description": "Any.",
    "source": {"path": "records.csv"},
    "example": "user",
    "tokens": [{"kind": "value", "columns": "item"}],
    "task": {"kind": "missing_tokens"},
    "dimensions": [1],
}
KINDS: dict[str, Any] = {**PAIRS, "tokens": [{"kind": "value", "columns": "item", "about": ["kind"]}]}
DESKS: dict[str, Any] = {**HOMES, "task": {"kind": "classification", "target": "desk"}}


@pytest.fixture
def clean(tmp_path: Path) -> Callable[..., Records]:
    """Ingest a text, or a frame as Parquet, with some settings of the source."""
    times = count()

    def make(content: str | pl.DataFrame, base: dict[str, Any] = PAIRS, **source: Any) -> Records:
        folder = tmp_path / str(next(times))
        folder.mkdir()
        path = "records.csv" if isinstance(content, str) else "records.parquet"
        if isinstance(content, str):
            (folder / path).write_text(content)
        else:
            content.write_parquet(folder / path)
        conf = Dataset.model_validate({"name": "any", **base, "source": {"path": path, "max_bad_share": 1, **source}})
        records = ingest(conf, folder, folder / "read")
        assert records.counts.accounted
        return records

    return make


BAD_HOMES = {  # each kind of a bad row, and where the fault is
    ',"[""a""]",100,1': ("id", "is missing"),
    'NA,"[""a""]",100,1': ("id", "is missing"),
    'h,"[""a"", ",100,1': ("words", "is no list of items (does `tokens` lack a `delimiter`?)"),
    'h,"[{""a"": 1}]",100,1': ("words", "is no list of items (does `tokens` lack a `delimiter`?)"),
    'h,"[""a"",""b"",""c"",""d""]",100,1': ("words", "has more than 3 items"),
    'h,"[""a""]",cheap,1': ("price", "is no number with a decimal point"),
    'h,"[""a""]",0,1': ("price", "is not above 0, and has no logarithm"),
    'h,"[""a""]",inf,1': ("price", "is not finite"),
    'h,"[""a""]",100,-inf': ("area", "is not finite"),
    'h,"[""a""]",100,big': ("area", "is no number with a decimal point"),
    'h,"[""a""]",100': (None, "has fewer values than columns"),
    'h,"[""a""]",100,1,2': (None, "has more values than columns"),
}


def test_half_a_percent_of_bad_rows_changes_no_digit_of_what_is_learned_from(tmp_path: Path) -> None:
    rng = random.Random(1)
    good = [
        f'h{i},"[""w{rng.randrange(30)}"", ""w{rng.randrange(30)}""]",{rng.randrange(100, 900)},{rng.random():.3f}'
        for i in range(2_400)
    ]
    dirty = list(good)
    for bad in BAD_HOMES:
        dirty.insert(rng.randrange(len(dirty) + 1), bad)
    made = []
    for name, rows in (("clean", good), ("dirty", dirty)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "records.csv").write_text("\n".join(["id,words,price,area", *rows, ""]))
        conf = Dataset.model_validate({"name": "homes", **HOMES})
        records = ingest(conf, folder, folder / "read")
        found = counted(records, conf)
        made.append((records, encode(records.frame, found.vocabulary, conf, found.table)))
    (_, clean), (records, examples) = made
    assert examples.fingerprint == clean.fingerprint
    assert records.counts.quarantined == len(BAD_HOMES) == records.counts.read - records.counts.used
    kept = records.quarantine
    expected = [(number, *BAD_HOMES[row], row) for number, row in enumerate(dirty, 2) if row in BAD_HOMES]
    assert kept.select("line", "column", "reason", "raw").sort("line").rows() == expected


@given(
    rows=st.lists(
        st.sampled_from(
            ["u1,i1,5", "u1,i1,5", "u2,i2,1", "u3,,4", ",i1,3", "u1,NA,3", "null,i1,5", "u4,i4", "u5,i5,x", "u6,i6,",
             "u7,i7,5,9", '"",i1,5', 'u8,"",5', ""]
        )
    ),
    where=st.sampled_from([None, "stars >= 3", "item <> 'i2'"]),
    duplicates=st.sampled_from([False, True, ["user"]]),
)  # fmt: skip
def test_every_row_is_in_exactly_one_count(rows: list[str], where: str | None, duplicates: Any) -> None:
    source = {"path": "records.csv", "where": where, "drop_duplicates": duplicates, "max_bad_share": 1}
    conf = Dataset.model_validate({"name": "any", **PAIRS, "source": source})
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "records.csv").write_text("\n".join(["user,item,stars", "u0,i0,5", *rows]))
        records = ingest(conf, folder, folder / "read")
        counts = records.counts
        assert counts.accounted
        assert counts.read == 1 + sum(bool(row) for row in rows)
        assert counts.used == records.frame.collect().height
        assert counts.quarantined == records.quarantine.height
        if where is None:
            assert counts.filtered == 0
        if not duplicates:
            assert counts.merged == 0
        used = records.frame.collect()
        assert not used["user"].null_count() + used["item"].null_count()


def test_numbers_that_were_read_wrongly_at_first_refuse_nothing(
    clean: Callable[..., Records], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BLOCK", 1_000)
    rows = [f'h{i},"[""a""]","42,115",1' for i in range(100)] + [f'g{i},"[""a""]","0,5",2' for i in range(100)]
    records = clean("\n".join(["id,words,price,area", *rows, ""]), HOMES, max_bad_share=0)
    assert (records.counts.used, records.found["decimals of price"]) == (200, ",")


def test_a_filter_compares_texts_as_texts_and_numbers_as_numbers(clean: Callable[..., Records]) -> None:
    text = "user,item,stars,zip\nu1,a,4,01\nu2,b,10,02\nu3,c,,01\nu4,d,many,01\nu5,e,3.5,01\n"
    records = clean(text, where="stars >= 4 and zip in ('01', '02')")
    assert records.frame.collect()["user"].to_list() == ["u1", "u2"]
    assert (records.counts.filtered, records.counts.quarantined) == (2, 1)
    assert records.quarantine["reason"].to_list() == ["is no number, and `where` compares it with one"]
    assert clean(text, where="user like 'u%' and stars is null").frame.collect()["user"].to_list() == ["u3"]
    assert clean(text, where="zip = '01' or 1 = 1").counts.used == 5
    typed = pl.DataFrame({"user": [1, 2], "item": ["a", "b"], "stars": [4, 1]})
    assert clean(typed, where="stars > 2").frame.collect()["user"].to_list() == [1]


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("stars >=", "any.yaml, source.where: is no condition in SQL"),
        ("start > 3", "any.yaml, source.where: there is no column 'start', did you mean 'stars'?"),
        ("stars", "any.yaml, source.where: cannot be evaluated"),
        ("stars > (select 1)", "any.yaml, source.where: cannot be evaluated"),
        ("sum(stars) > 3", "any.yaml, source.where: compares rows with each other"),
        ("select 1", "any.yaml, source.where: is no condition in SQL"),
        ("stars > 99", "none of its 2 records is left: 0 cannot be used, 2 do not meet `source.where`"),
    ],
)
def test_a_filter_that_is_none_is_told(clean: Callable[..., Records], where: str, sentence: str) -> None:
    with pytest.raises(PipelineError, match=sentence.replace("(", r"\(").replace("?", r"\?")):
        clean("user,item,stars\nu1,a,4\nu2,b,1\n", where=where)


def test_columns_are_renamed_before_anything_else(clean: Callable[..., Records]) -> None:
    text = "User ID;item;x\nu1;a;1\n"
    records = clean(text, rename={"User ID": "user", "x": "stars"}, where="stars = 1")
    assert records.frame.collect().columns == ["user", "item", "stars"]
    assert records.found["separator"] == "';'"
    with pytest.raises(PipelineError, match=r"source.rename: there is no column 'Usr'"):
        clean(text, rename={"Usr": "user"})
    with pytest.raises(PipelineError, match=r"source.rename: .* would have two columns 'item'"):
        clean(text, rename={"User ID": "item"})


def test_a_column_may_be_called_as_those_that_are_added_for_a_while(clean: Callable[..., Records]) -> None:
    assert clean("user,item,_place\nu1,a,1\n,b,2\n").frame.collect()["_place"].to_list() == ["1"]


def test_words_for_a_missing_value_are_those_of_conf(clean: Callable[..., Records]) -> None:
    text = "user,item\nu1,NA\nu2,None\nu3,-\n007,a\n"
    assert clean(text).frame.collect().rows() == [("u2", "None"), ("u3", "-"), ("007", "a")]
    assert clean(text, missing="-").frame.collect()["item"].to_list() == ["NA", "None", "a"]
    numbers = pl.DataFrame({"user": [1.0, float("nan"), None], "item": ["a", "b", "c"]})
    assert clean(numbers).counts.quarantined == 2


def test_a_record_without_a_value_to_predict_is_left_out_and_counted(clean: Callable[..., Records]) -> None:
    records = clean('id,words,price,area\nh1,"[""a""]",,1\nh2,"[""a""]",N/A,1\nh3,"[""a""]",5,\n', HOMES)
    assert (records.counts.unanswered, records.counts.used) == (2, 1)
    assert records.frame.select("price (number)", "area (number)").collect().rows() == [(5.0, None)]


def test_numbers_are_read_by_all_rows_of_their_column(clean: Callable[..., Records]) -> None:
    """The first rows suggest a comma between thousands; a later row shows that decimals stand behind it."""
    rows = [f'h{i},"[""a""]","42,115","1,5"' for i in range(200_000)]
    text = "\n".join(["id,words,price,area", *rows, 'h,"[""a""]","0,5",2', ""])
    records = clean(text.replace('"1,5"', "1"), HOMES)
    assert sorted({*records.frame.collect()["price (number)"]}) == [0.5, 42.115]
    assert records.found["decimals of price"] == ","
    as_said = clean(text.replace('"1,5"', "1"), HOMES, decimal=".")
    assert {*as_said.frame.collect()["price (number)"]} == {42115.0}
    assert as_said.quarantine["raw"].to_list() == ['h,"[""a""]","0,5",2']


@pytest.mark.parametrize(
    ("frame", "base", "sentence"),
    [
        ({"user": [{"a": 1}], "user.a": [1], "item": ["x"]}, PAIRS, "example: .*'user' of .* holds Struct.*a text or"),
        ({"user": [timedelta(1)], "item": ["x"]}, PAIRS, "example: .*'user' of .* holds Duration"),
        ({"user": ["u"], "item": ["a"], "part": [["test"]]}, {**PAIRS, "split": "part"}, "split.column: .* holds List"),
        ({"user": ["u"], "item": ["a"], "kind": [["x"]]}, KINDS, r"tokens\[0\].about: .*'kind' of .* holds List"),
        ({"id": ["h"], "words": [["a"]], "desk": [["x", "y"]]}, DESKS, "task.target: .*'desk' of .* holds List"),
        ({"user": ["u"], "item": [{"a": 1}], "item.a": [1]}, PAIRS, "any.yaml, tokens: column 'item' holds Struct"),
        ({"user": ["u"], "item": [["a"]]}, PAIRS, "any.yaml, tokens: column 'item' holds List.*`kind: items`"),
        ({"id": ["h"], "words": [["a"]], "price": ["2020-01-01"], "area": [1]}, HOMES, "price: is no number"),
        ({"id": ["h"], "words": [["a"]], "price": [date(2020, 1, 1)], "area": [1]}, HOMES, "'price' of .* holds Date"),
        ({"id": ["h"], "words": [["a"]], "price": [[1]], "area": [1]}, HOMES, "'price' of .* holds List"),
        ({"id": ["h"], "words": [["a"]], "price": [1], "area": [None]}, HOMES, "'area' of .* has no value at all"),
        ({"user": ["u"], "item": ["a"], "liked": [True]}, {**PAIRS, "weight": "liked"}, "weight: .* holds Boolean"),
    ],
)  # fmt: skip
def test_a_column_that_holds_something_else_is_told(
    clean: Callable[..., Records], frame: dict[str, Any], base: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PipelineError, match=sentence):
        clean(pl.DataFrame(frame), base, max_bad_share=0)


@pytest.mark.parametrize(
    ("weight", "price", "told"), [("often", "10", ""), ("1", "cheap", "To predict a text say `kind: classification`.")]
)
def test_only_where_the_answer_is_a_text_it_tells_how_to_predict_one(
    clean: Callable[..., Records], weight: str, price: str, told: str
) -> None:
    frame = pl.DataFrame({"id": ["h"], "words": [["a"]], "price": [price], "area": [weight]})
    with pytest.raises(PipelineError) as refused:
        clean(frame, HOMES, max_bad_share=0)
    assert str(refused.value).endswith(f"or name another column. {told}".rstrip())


def test_where_no_record_is_left_it_tells_why_they_cannot_be_used(clean: Callable[..., Records]) -> None:
    frame = pl.DataFrame({"id": ["h"], "words": [["a"]], "price": ["cheap"], "area": ["1"]})
    with pytest.raises(PipelineError, match=r"1 cannot be used \(1 x price: is no number with .* \(first .*\)\), 0 do"):
        clean(frame, HOMES, max_bad_share=1)


def test_conf_loads_with_every_setting_of_a_source(write_conf: Callable[..., Path]) -> None:
    source = {"path": "r.csv", "where": "a > 1", "rename": {"b": "a"}, "drop_duplicates": ["a"], "encoding": "latin-1"}
    loaded = load(write_conf("any", {**PAIRS, "source": source})).source
    assert (loaded.encoding, loaded.drop_duplicates, loaded.rename) == ("iso8859-1", ("a",), {"b": "a"})


def test_a_unit_is_that_of_the_whole_column_and_another_one_is_told(clean: Callable[..., Records]) -> None:
    rows = [f'h{i},"[""a""]","{i + 1},5 €",{i + 20} m²' for i in range(50)]
    lines = [*rows, 'h,"[""a""]","7,5",30', 'h,"[""a""]","7,5 $",30 m2', 'h,"[""a""]","7,5 €",300 ft²', ""]
    records = clean("\n".join(["id,words,price,area", *lines]), HOMES)
    assert records.frame.select("price (number)", "area (number)").collect().rows()[-2:] == [(50.5, 69.0), (7.5, 30.0)]
    assert {key: value for key, value in records.found.items() if key.startswith("unit")} == {
        "unit of price": "€",
        "unit of area": "m²",
    }
    assert records.quarantine.select("line", "column", "reason").rows() == [
        (53, "price", "has the unit $, and the others have €"),
        (54, "area", "has the unit ft², and the others have m²"),
    ]
    said = (
        "records.csv: 2 of 53 records .*: 1 x price: has the unit \\$, and the others have € \\(first .*records.csv:53"
    )
    with pytest.raises(PipelineError, match=said):
        clean("\n".join(["id,words,price,area", *lines]), HOMES, max_bad_share=0.01)


def test_a_unit_that_shows_in_later_rows_is_that_of_all(clean: Callable[..., Records]) -> None:
    """The first rows are plain numbers, and the source is read once more."""
    rows = [f'h{i},"[""a""]",5,1' for i in range(200_000)] + [f'h{i},"[""a""]",5,2 km' for i in range(200_001)]
    records = clean("\n".join(["id,words,price,area", *rows, ""]), HOMES)
    assert records.counts.used == 400_001
    assert {*records.frame.collect()["area (number)"]} == {1.0, 2.0}


def test_conf_can_say_the_unit_though_most_values_have_none(clean: Callable[..., Records]) -> None:
    text = 'id,words,price,area\nh1,"[""a""]",1,1\nh2,"[""a""]",2,2\nh3,"[""a""]",3,3 kg\nh4,"[""a""]",4,4 g\n'
    assert clean(text, HOMES).quarantine["line"].to_list() == [4, 5]
    records = clean(text, HOMES, units={"area": "kg"})
    assert records.frame.collect()["area (number)"].to_list() == [1.0, 2.0, 3.0]
    with pytest.raises(PipelineError, match=r"source.units: there is no column 'aera' in .*, did you mean 'area'"):
        clean(text, HOMES, units={"aera": "kg"})


def test_weights_and_conditions_are_read_with_units(clean: Callable[..., Records]) -> None:
    text = "user,item,time,age\n" + "".join(f'u{i},i{i % 3},"{i},5 min",{i} years\n' for i in range(1, 40))
    records = clean(text, {**PAIRS, "weight": "time"}, where="age >= 30 and time < 35")
    assert records.frame.collect()["time (number)"].to_list() == [30.5, 31.5, 32.5, 33.5, 34.5]


def test_a_condition_may_name_columns_with_blanks_as_they_are(clean: Callable[..., Records]) -> None:
    text = "user,item,open rate,rate\nu1,a,5 %,1\nu2,open rate > 3,4 %,2\nu3,b,2 %,3\n"
    assert clean(text, where="open rate > 3 and rate < 2").frame.collect()["user"].to_list() == ["u1"]
    assert clean(text, where="open rate > 3 and item = 'open rate > 3'").frame.collect()["user"].to_list() == ["u2"]
