import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.postgresql import Cluster
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.examples.encoding import encode_records
from pipeline.records.cleaning.counts import Counts
from pipeline.records.ingest import ingest
from pipeline.records.periods import reading as module
from pipeline.records.periods.folders import facts_of_periods, is_by_period, join, period_folder
from pipeline.records.periods.reading import Read, read_periods
from pipeline.records.periods.survey import Survey, survey
from pipeline.records.records import Records
from pipeline.records.source import tables
from pipeline.vocabulary.counted import count
from tests.conftest import spoil

PERIOD = {"column": "day", "every": "month"}


class Source:
    """A growing source that is read again and again, each time from what was made the last time."""

    def __init__(self, folder: Path, conf: Dataset, conf_folder: Path) -> None:
        self.folder, self.conf, self.conf_folder = folder, conf, conf_folder
        self.found: Survey | None = None
        self.records: Records | None = None
        self.n = 0

    def read(self, asked: list[str] | None = None, made_by: str = "v1") -> Read:
        self.found = survey(self.conf, self.conf_folder, self.folder / "downloads", made_by, self.found)
        self.n += 1
        read = read_periods(
            self.conf, self.conf_folder, self.folder / f"read{self.n}", self.found, made_by, self.records, asked
        )
        self.records = read.records
        return read

    def at_once(self) -> Records:
        """The same records, read as if there were no periods."""
        return ingest(self.conf, self.conf_folder, self.folder / f"at-once{self.n}", self.folder / "downloads")


@pytest.fixture
def source(minimal: dict[str, Any], write_conf: Callable[..., Path], tmp_path: Path) -> Callable[..., Source]:
    def make(path: str | list[str] = "sales-*.csv", period: dict[str, Any] = PERIOD, **settings: Any) -> Source:
        about = (
            {"period": period, **settings} if "database" in settings else {"path": path, "period": period, **settings}
        )
        text = {**minimal, "example": "user", "split": {"validation": 0.2, "test": 0.2}, "source": about}
        conf = load(place := write_conf("sales", text))
        return Source(tmp_path, conf, place.parent)

    return make


def sales(month: int, n: int = 60) -> pl.DataFrame:
    """Sales of a month, in the order of their days."""
    days = [f"2024-{month:02d}-{1 + i // 3:02d}" for i in range(n)]
    return pl.DataFrame(
        {"day": days, "user": [f"u{i % 20}" for i in range(n)], "movie": [f"m{(i * i + month) % 17}" for i in range(n)]}
    )


def write(source: Source, month: int, frame: pl.DataFrame | None = None) -> Path:
    path = source.conf_folder / f"sales-{month}.csv"
    (sales(month) if frame is None else frame).write_csv(path)
    return path


@pytest.mark.parametrize("form", ["csv", "parquet", "ndjson"])
def test_records_by_period_give_the_same_examples_as_all_at_once(form: str, source: Callable[..., Source]) -> None:
    made = source(f"all.{form}")
    whole = pl.concat([sales(month) for month in (1, 2, 3)])
    if form == "parquet":
        whole = whole.with_columns(pl.col("day").str.to_date())
    getattr(whole, f"write_{form}")(made.conf_folder / f"all.{form}")
    records, at_once = made.read().records, made.at_once()
    assert records.frame.collect().equals(at_once.frame.collect())
    assert [path.parent.name for path in records.files] == ["period=2024-01", "period=2024-02", "period=2024-03"]
    assert (records.counts, records.checksums) == (at_once.counts, at_once.checksums)
    fingerprints = {encode_records(one, count(one, made.conf), made.conf).fingerprint for one in (records, at_once)}
    assert len(fingerprints) == 1


def test_of_a_source_that_grew_only_what_is_new_is_read(source: Callable[..., Source]) -> None:
    made = source()
    first = write(made, 1)
    write(made, 2)
    assert made.read().keys == ["2024-01", "2024-02"]
    before = made.records
    assert made.read() == Read(made.records, [])
    assert made.records.version == before.version
    spoil(first)
    write(made, 3)
    assert made.read().keys == ["2024-03"]
    assert len(made.records) == 180
    assert made.records.version != before.version
    same = period_folder(before.folder, "2024-01"), period_folder(made.records.folder, "2024-01")
    assert len({(folder / "records-00000.parquet").stat().st_ino for folder in same}) == 1


def test_a_file_that_grew_is_read_and_its_other_periods_stay(source: Callable[..., Source]) -> None:
    made = source("all.csv")
    whole = pl.concat([sales(month) for month in (1, 2)])
    whole.write_csv(made.conf_folder / "all.csv")
    made.read()
    pl.concat([whole, sales(3)]).write_csv(made.conf_folder / "all.csv")
    assert made.read().keys == ["2024-03"]
    changed = pl.concat([whole, sales(3)]).with_columns(movie=pl.lit("m99"))
    pl.concat([changed.head(60), whole.tail(60), sales(3)]).write_csv(made.conf_folder / "all.csv")
    assert made.read().keys == ["2024-01"]
    assert made.records.frame.collect().equals(made.at_once().frame.collect())


def test_a_file_that_was_only_touched_is_not_read(
    source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = source()
    path = write(made, 1)
    made.read()
    os.utime(path, ns=(0, 0))
    monkeypatch.setattr("pipeline.records.periods.survey.Files", None)
    assert made.read().keys == []


@pytest.mark.parametrize("nothing", [b"", b"day,user,movie\n"])
def test_an_empty_file_is_passed_over_until_it_is_filled(
    source: Callable[..., Source], nothing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    shop = source()
    (shop.conf_folder / "sales-1.csv").write_bytes(nothing)
    with pytest.raises(PipelineError, match=r"the file is empty|not a single record"):
        shop.read()
    write(shop, 2)
    assert shop.read().keys == ["2024-02"]
    assert caplog.messages == [f"passed over, without a record: {shop.conf_folder}/sales-1.csv"]
    write(shop, 1)
    read = shop.read()
    assert read.keys == ["2024-01"]
    assert read.records.counts == shop.at_once().counts


def test_a_period_that_is_gone_goes_and_settings_that_decide_records_begin_anew(source: Callable[..., Source]) -> None:
    made = source()
    write(made, 1)
    path = write(made, 2)
    made.read()
    path.unlink()
    assert made.read().keys == []
    assert list(facts_of_periods(made.records)) == ["2024-01"]
    assert made.read(made_by="v2").keys == ["2024-01"]


def test_rows_without_a_date_are_set_aside_whatever_period_is_read(source: Callable[..., Source]) -> None:
    made = source(max_bad_share=0.1)
    write(made, 1)
    odd = sales(2).with_columns(
        day=pl.when(pl.int_range(60) < 2).then(pl.Series(["soon", ""] + [""] * 58)).otherwise("day")
    )
    path = write(made, 2, odd)
    path.write_text(path.read_text() + "2024-02-03,u1,m1,and more\n")
    read = made.read()
    assert read.keys == ["2024-01", "2024-02", "undated"]
    assert read.records.counts == Counts(read=121, used=118, quarantined=3)
    assert read.records.quarantine.select("line", "column", "reason", "raw").sort("line").rows() == [
        (2, "day", "is no date such as 2024-03-31 or 2024-03-31T23:59:59", "soon,u0,m2"),
        (3, "day", "is missing", '"",u1,m3'),
        (62, None, "has more values than columns", "2024-02-03,u1,m1,and more"),
    ]
    write(made, 3)
    assert made.read().keys == ["2024-03"]
    assert len(made.records.quarantine) == 3


def test_the_share_of_bad_records_is_that_of_all_periods(source: Callable[..., Source]) -> None:
    made = source()
    write(made, 1, sales(1).with_columns(day=pl.lit("32.1.2024")))
    with pytest.raises(PipelineError, match=r"60 of 60 .*: 60 x day: is no date .*another column in `source.period`"):
        made.read()
    assert not (made.folder / "read1").exists()
    write(made, 1, pl.concat([sales(1)] * 5))
    write(made, 2, sales(2, 2).with_columns(user=pl.Series(["u1", None])))
    assert made.read().records.counts == Counts(read=302, used=301, quarantined=1)


def test_one_period_that_is_asked_for_is_read_whether_it_changed_or_not(source: Callable[..., Source]) -> None:
    made = source()
    first = write(made, 1)
    write(made, 2)
    assert made.read(["2024-02"]).keys == ["2024-02"]
    assert list(facts_of_periods(made.records)) == ["2024-02"]
    assert made.read().keys == ["2024-01"]
    spoil(first)
    assert made.read(["2024-02"]).keys == ["2024-02"]
    assert list(facts_of_periods(made.records)) == ["2024-01", "2024-02"]
    with pytest.raises(
        PipelineError, match=r"no rows of the period '2024-13'\. Materialise sales/periods, .*; did you"
    ):
        made.read(["2024-13"])


def test_runs_that_read_at_the_same_time_keep_what_each_has_read(source: Callable[..., Source]) -> None:
    made = source()
    for month in (1, 2, 3):
        write(made, month)
    first = made.read(["2024-01"]).records
    own = made.read(["2024-02"]).records
    made.records = first
    other = made.read(["2024-01", "2024-03"]).records
    join(own.folder, other.folder)
    joined = Records(own.folder)
    assert {one: facts["version"] for one, facts in facts_of_periods(joined).items()} == {
        "2024-01": facts_of_periods(other)["2024-01"]["version"],
        "2024-02": facts_of_periods(Records(own.folder))["2024-02"]["version"],
        "2024-03": facts_of_periods(other)["2024-03"]["version"],
    }
    at_once = made.at_once()
    assert joined.frame.collect().equals(at_once.frame.collect())
    assert len(joined) == 180
    assert is_by_period(joined.folder)
    assert not is_by_period(at_once.folder)


def test_batches_of_mixed_periods_wait_in_bounded_memory(
    source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAITING", 2_000)
    monkeypatch.setattr(tables, "ROWS", 50)
    monkeypatch.setattr(tables, "_SOME", 1)
    made = source("all.parquet")
    whole = pl.concat([sales(month) for month in (1, 2, 3)] * 5).sample(fraction=1, shuffle=True, seed=1)
    whole.write_parquet(made.conf_folder / "all.parquet")
    records = made.read().records
    assert len(records.files) > 6
    assert records.frame.collect().equals(whole.sort(pl.col("day").str.head(7), maintain_order=True))


def test_a_scan_of_a_table_passes_over_the_rows_of_other_periods(
    source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = source("all.parquet")
    whole = pl.concat([sales(month) for month in (1, 2, 3)]).with_columns(pl.col("day").str.to_date())
    whole = whole.with_columns(movie=pl.when(pl.int_range(180) != 70).then("movie"))
    whole.write_parquet(made.conf_folder / "all.parquet")
    made.read(["2024-01"])
    seen: list[int] = []
    of_table = tables.of_table

    def counted(frame: pl.DataFrame, *about: Any) -> Any:
        seen.append(frame.height)
        return of_table(frame, *about)

    monkeypatch.setattr(tables, "of_table", counted)
    made.read(["2024-02"])
    assert sum(seen) == 60
    assert made.records.quarantine.select("line", "reason").rows() == [(71, "is missing")]


def test_all_periods_read_numbers_alike(source: Callable[..., Source]) -> None:
    made = source()
    made.conf = made.conf.model_copy(update={"weight": "price"})
    write(made, 1, sales(1).with_columns(price=pl.lit("1,145")))
    write(made, 2, sales(2).with_columns(price=pl.lit("1,5")))
    sentence = (
        "sales.yaml, source.decimal: the numbers of 'price' have a decimal comma in 2024-02. Say `decimal: \",\"`"
    )
    with pytest.raises(PipelineError, match=sentence):
        made.read()
    source_ = made.conf.source.model_copy(update={"decimal": ","})
    made.conf = made.conf.model_copy(update={"source": source_})
    assert made.read().records.frame.select(
        pl.col("price (number)").unique()
    ).collect().to_series().sort().to_list() == [1.145, 1.5]


def test_the_currency_of_a_period_is_known_when_only_others_are_read(source: Callable[..., Source]) -> None:
    made = source()
    made.conf = made.conf.model_copy(update={"weight": "price"})
    write(made, 1, sales(1).with_columns(price=pl.lit("$5")))
    made.read()
    write(made, 2, sales(2).with_columns(price=pl.lit("5")))
    assert made.read().keys == ["2024-02"]
    assert made.records is not None
    assert made.records.written == {"decimals": {"price": "."}, "units": {"price": "$"}}
    write(made, 3, sales(3).with_columns(price=pl.lit("5 €")))
    sentence = "the numbers of 'price' have the unit € in 2024-03, and \\$ in 2024-01. Say `units: {'price': '\\$'}`"
    with pytest.raises(PipelineError, match=sentence):
        made.read()


def test_dates_that_may_be_read_in_two_ways_ask_for_what_conf_can_say(source: Callable[..., Source]) -> None:
    one = source()
    frame = sales(1).with_columns(pl.col("day").str.replace(r"^(\d+)-(\d+)-(\d+)$", "${3}/${2}/${1}"))
    write(one, 1, frame)
    with pytest.raises(
        PipelineError, match=r"sales.yaml, source.period.column: in dates of 'day', such as 02/01/2024,"
    ):
        one.read()
    two = source(day_first=True)
    assert two.read().keys == ["2024-01"]


@pytest.mark.parametrize("day", ["31.01.2024", "1706659200", 202401, 20240131])
def test_a_database_gives_the_rows_of_dates_that_it_cannot_sort(source: Callable[..., Source], day: str | int) -> None:
    one = source(database="sales.db", query="select * from sales")
    with closing(sqlite3.connect(one.conf_folder / "sales.db")) as connection, connection:
        connection.execute("create table sales (day, user, movie)")
        connection.executemany("insert into sales values (?, ?, ?)", sales(1).with_columns(day=pl.lit(day)).iter_rows())
    read = one.read()
    assert (read.keys, len(read.records)) == (["2024-01"], 60)


def test_columns_that_nobody_needs_may_come_and_go(source: Callable[..., Source]) -> None:
    made = source("sales-*.ndjson")
    for month, beside in ((1, {"note": "a", "n": 1.5}), (2, {}), (3, {"other": 1, "note": 7}), (4, {"n": 2})):
        columns = {name: pl.lit(value) for name, value in beside.items()}
        sales(month).with_columns(**columns).write_ndjson(made.conf_folder / f"sales-{month}.ndjson")
        assert made.read().keys == [f"2024-{month:02d}"]
    schema = {"day": pl.String, "user": pl.String, "movie": pl.String, "note": pl.String, "n": pl.Float64}
    assert made.records.frame.collect_schema() == schema
    assert made.records.frame.unique("note").select("note").collect().to_series().sort().to_list() == [None, "7", "a"]


def test_where_a_column_holds_more_than_before_all_periods_are_read_together(source: Callable[..., Source]) -> None:
    made = source("sales-*.ndjson")
    sales(1).with_columns(n=pl.lit(1)).write_ndjson(made.conf_folder / "sales-1.ndjson")
    sales(2).with_columns(n=pl.lit(1)).write_ndjson(made.conf_folder / "sales-2.ndjson")
    made.read()
    sales(3).with_columns(n=pl.lit(1.5)).write_ndjson(made.conf_folder / "sales-3.ndjson")
    with pytest.raises(PipelineError, match="'n' holds Float64 in the period 2024-03, and Int64 in 2024-01"):
        made.read(["2024-03"])
    assert made.read().keys == ["2024-01", "2024-02", "2024-03"]
    assert made.records.frame.collect_schema()["n"] == pl.Float64
    assert made.records.frame.collect().equals(made.at_once().frame.collect())


def test_a_column_that_is_missing_or_holds_no_dates_is_told(source: Callable[..., Source]) -> None:
    made = source(period={"column": "dya"})
    write(made, 1)
    with pytest.raises(PipelineError, match=r"sales.yaml, source.period.column: there is no column 'dya' in .*'day'"):
        made.read()
    made = source("all.parquet")
    sales(1).with_columns(day=pl.lit([1])).write_parquet(made.conf_folder / "all.parquet")
    with pytest.raises(PipelineError, match=r"source.period.column: the column 'day' of .* holds List"):
        made.read()


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_database_is_asked_for_new_periods_the_latest_and_those_with_more_or_fewer_rows(
    kind: str, source: Callable[..., Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / f"sales.{kind}"

    def add(frame: pl.DataFrame) -> None:
        if kind == "sqlite":
            with closing(sqlite3.connect(place)) as connection, connection:
                connection.execute("create table if not exists sales (day, user, movie)")
                connection.executemany("insert into sales values (?, ?, ?)", frame.rows())
            return
        import duckdb

        with duckdb.connect(str(place)) as connection:
            connection.execute('create table if not exists sales (day date, "user" text, movie text)')
            connection.executemany("insert into sales values (?, ?, ?)", frame.rows())

    asked: list[str] = []
    monkeypatch.setattr(module, "narrowed", lambda *about: asked.append(narrowed(*about).query) or narrowed(*about))
    add(pl.concat([sales(1), sales(2)]))
    made = source(period=PERIOD, database=str(place), query='select day, "user", movie from sales; ')
    assert made.read().keys == ["2024-01", "2024-02"]
    assert made.records.frame.collect().equals(made.at_once().frame.collect())
    assert made.read().keys == ["2024-02"]
    add(sales(3))
    add(sales(1, 3))
    assert made.read().keys == ["2024-01", "2024-03"]
    assert len(made.records) == 183
    assert all("where" in query for query in asked)
    made.conf = source(period={**PERIOD, "latest": 0}, database=str(place), query=made.conf.source.query).conf
    assert made.read().keys == []
    add(sales(1, 3).with_columns(day=None))
    with pytest.raises(PipelineError, match="3 of 186 records cannot be used"):
        made.read()
    made.conf = made.conf.model_copy(update={"source": made.conf.source.model_copy(update={"max_bad_share": 0.1})})
    assert made.read().keys == ["undated"]
    bad = source(period={"column": "dya"}, database=str(place), query=made.conf.source.query)
    with pytest.raises(PipelineError, match=r"source.period.column: there is no column 'dya'"):
        bad.read()


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz", "text", "bigint"])
def test_a_server_gives_the_rows_of_the_periods_that_are_asked_for(
    kind: str, postgresql_cluster: Cluster, source: Callable[..., Source]
) -> None:
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    address = f"{postgresql_cluster.address}/postgres"
    rows = "generate_series('2024-01-15'::timestamp, '2024-04-20'::timestamp, '7 hours') t(at)"
    value = "1000 * extract(epoch from at)" if kind == "bigint" else "at"
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"create table {kind}s as select ({value})::{kind} as day, 'u1' as \"user\", 'm1' as movie from {rows}"
        )
        connection.commit()
    made = source(period=PERIOD, database=address, query=f'select day, "user", movie from {kind}s order by day')
    months = ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert made.read().keys == months
    assert made.records.frame.collect().equals(made.at_once().frame.collect())
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(f"delete from {kind}s where day = (select min(day) from {kind}s)")
        connection.commit()
    assert made.read().keys == ["2024-01", "2024-04"]
    assert made.records.frame.collect().equals(made.at_once().frame.collect())


def narrowed(*about: Any) -> Any:
    from pipeline.records.periods.survey import narrowed as own

    return own(*about)


def test_what_was_found_is_kept_without_a_secret(source: Callable[..., Source], tmp_path: Path) -> None:
    made = source()
    write(made, 1)
    made.read()
    assert made.found is not None
    made.found.save(tmp_path)
    assert Survey.load(tmp_path) == made.found
    assert set(json.loads((tmp_path / "survey.json").read_text())) == {"made_by", "files", "latest", "column"}


def test_all_periods_have_one_unit(source: Callable[..., Source]) -> None:
    made = source()
    made.conf = made.conf.model_copy(update={"weight": "price"})
    write(made, 1, sales(1).with_columns(price=pl.lit("5 kg")))
    write(made, 2, sales(2).with_columns(price=pl.lit("5")))
    sentence = (
        "sales.yaml, source.units: the numbers of 'price' have the unit kg in 2024-01. Say `units: {'price': 'kg'}`"
    )
    with pytest.raises(PipelineError, match=sentence):
        made.read()
    about = made.conf.source.model_copy(update={"units": {"price": "kg"}})
    made.conf = made.conf.model_copy(update={"source": about})
    assert made.read().records.frame.collect()["price (number)"].unique().to_list() == [5.0]
    assert made.records is not None
    assert made.records.found["unit of price"] == "kg"
    assert made.records.written == {"decimals": {"price": "."}, "units": {"price": "kg"}}
    write(made, 3, sales(3).with_columns(price=pl.lit("5 g")))
    with pytest.raises(
        PipelineError, match=r"60 x price: has the unit g, and the others have kg .first .*sales-3.csv:2"
    ):
        made.read()
