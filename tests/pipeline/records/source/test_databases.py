import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.postgresql import PASSWORD, Cluster
from pipeline.config.dataset import Dataset
from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.records.source import databases
from tests.killed import killed_database

SALES = pl.DataFrame(
    {"buyer": [1, 1, 2, None], "item": ["007", "é", "x", "y"], "price": [1.5, None, 2.0, 3.0]},
    schema={"buyer": pl.Int64, "item": pl.String, "price": pl.Float64},
)
ROWS = 1_234


@pytest.fixture(scope="session")
def postgresql(postgresql_cluster: Cluster) -> str:
    """The address of a PostgreSQL with the table `sales`, and one of many rows."""
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    address = f"{postgresql_cluster.address}/postgres"
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("sales", SALES.to_arrow(compat_level=pl.CompatLevel.oldest()))
        cursor.execute("create table many as select i::text as item, i % 7 as buyer from generate_series(1, 1234) t(i)")
        cursor.execute("create table odd as select 1.50::numeric as price, gen_random_uuid() as id, now() as at")
        connection.commit()
    return address


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with the table `sales`, and one of many rows, in each of three products."""
    if request.param == "postgresql":
        yield request.getfixturevalue("postgresql")
        return
    path = tmp_path / f"shop.{request.param}"
    if request.param == "duckdb":
        import duckdb

        sales = SALES
        with duckdb.connect(str(path)) as connection:
            connection.register("frame", sales.to_arrow(compat_level=pl.CompatLevel.oldest()))
            connection.execute("create table sales as select * from frame")
            connection.execute("create table many as select i::text as item, i % 7 as buyer from range(1, 1235) t(i)")
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("create table sales (buyer, item, price)")
            connection.executemany("insert into sales values (?, ?, ?)", SALES.rows())
            connection.execute("create table many (item text, buyer int)")
            connection.executemany("insert into many values (?, ?)", [(str(i), i % 7) for i in range(1, 1235)])
            connection.commit()
    yield path.name


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Records]:
    """Ingest the answer to a query."""
    times = count()

    def make(database: str, query: str, **source: Any) -> Records:
        source = {"database": database, "query": query, "max_bad_share": 1, **source}
        text: dict[str, Any] = {"description": "Any.", "source": source, "example": "buyer", "dimensions": [1]}
        text |= {"tokens": [{"kind": "value", "columns": "item"}], "task": {"kind": "missing_tokens"}}
        conf = Dataset.model_validate({"name": "any", **text})
        return ingest(conf, tmp_path, tmp_path / f"read_{next(times)}")

    return make


every_database = pytest.mark.parametrize("database", ["postgresql", "duckdb", "sqlite"], indirect=True)


@every_database
def test_the_answer_to_a_query_is_the_records(database: str, read: Callable[..., Records]) -> None:
    records = read(database, "select buyer, item, price from sales order by item")
    assert records.frame.collect().equals(SALES.filter(pl.col("buyer").is_not_null()).sort("item"))
    assert records.counts.quarantined == 1
    assert records.quarantine.select("line", "column", "raw").rows() == [
        (3, "buyer", '{"buyer":null,"item":"y","price":3.0}')
    ]
    again = read(database, "select buyer, item, price from sales where price > 1.6 order by item", where="price < 2.5")
    assert again.frame.collect()["item"].to_list() == ["x"]
    assert again.checksums != records.checksums


@pytest.mark.parametrize("database", ["duckdb", "sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["shop.db", "SQLITE://shop.db", "DuckDB://shop.db"])
def test_a_file_is_read_as_the_database_that_it_is(
    name: str, database: str, read: Callable[..., Records], tmp_path: Path
) -> None:
    (tmp_path / database).rename(tmp_path / "shop.db")
    assert len(read(name, "select buyer, item from sales")) == 3


@every_database
def test_an_answer_comes_in_batches(
    database: str, read: Callable[..., Records], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_ROWS", 100)
    records = read(database, "select item, buyer from many order by cast(item as int);" if "post" not in database else
                   "select item, buyer from many order by item::int")  # fmt: skip
    assert records.frame.collect()["item"].to_list() == [str(i) for i in range(1, ROWS + 1)]


@every_database
def test_a_query_may_end_with_a_comment(database: str, read: Callable[..., Records]) -> None:
    records = read(database, "select buyer, item from sales -- of all years")
    assert len(records) == 3


@every_database
def test_a_query_may_end_with_a_semicolon(database: str, read: Callable[..., Records]) -> None:
    assert len(read(database, "select buyer, item from sales;\n")) == 3


@every_database
def test_a_query_that_is_wrong_is_told(database: str, read: Callable[..., Records]) -> None:
    with pytest.raises(PipelineError, match=r"the query cannot be answered .*slaes") as told:
        read(database, "select * from slaes")
    assert PASSWORD not in str(told.value)
    with pytest.raises(PipelineError, match=r"any.yaml, example: there is no column 'buyer'"):
        read(database, "select item from sales")
    with pytest.raises(PipelineError, match="has columns, but not a single record"):
        read(database, "select buyer, item from sales where 1 = 0")


@every_database
def test_a_reading_that_is_given_up_can_be_cleared_away_by_any_thread(database: str, tmp_path: Path) -> None:
    query = databases.Query(Source(database=database, query="select * from many"), tmp_path)
    with ThreadPoolExecutor(1) as other:
        other.submit(query._frames.close).result()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("slashes", ["sqlite://", "sqlite:///"])
def test_an_absolute_path_may_have_the_slash_of_sqlalchemys_addresses(
    slashes: str, database: str, tmp_path: Path, read: Callable[..., Records]
) -> None:
    found = read(f"{slashes}{tmp_path}/{database}", "select buyer, item from sales")
    assert found.counts.read == SALES.height


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("oracle://host/x", "which database is this?"),
        ("shop.xlsx", "which database is this?"),
        ("shop.duckdb", "there is no such file"),
        ("sqlite:///nowhere/shop.db", "there is no such file"),
        ("postgresql://me:s3cret@127.0.0.1:1/x", "the query cannot be answered"),
        ("postgresql://me:${NO_SUCH_VARIABLE}@127.0.0.1:1/x", "the environment has no variable NO_SUCH_VARIABLE"),
    ],
)
def test_a_database_that_cannot_be_used_is_told(address: str, sentence: str, read: Callable[..., Records]) -> None:
    with pytest.raises(PipelineError, match=sentence.replace("?", r"\?")) as told:
        read(address, "select 1 as buyer, 2 as item")
    assert "s3cret" not in str(told.value)


def test_a_database_that_a_killed_program_has_left_is_told_and_stays(
    tmp_path: Path, read: Callable[..., Records]
) -> None:
    path = killed_database(tmp_path / "shop.db")
    before = path.read_bytes()
    with pytest.raises(PipelineError, match=r"shop\.db: a program was stopped in the middle of a change"):
        read(path.name, "select * from sales")
    assert path.read_bytes() == before


def test_a_password_comes_from_the_environment_and_goes_nowhere(
    postgresql: str, read: Callable[..., Records], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    named = postgresql.replace(PASSWORD, "${SHOP_PASSWORD}")
    records = read(named, "select * from sales")
    assert list(records.checksums) == [named]
    kept = b"".join(path.read_bytes() for path in records.folder.iterdir())
    assert PASSWORD.encode() not in kept
    monkeypatch.setenv("SHOP_PASSWORD", "wrong-Secret")
    with pytest.raises(PipelineError, match="password authentication failed") as told:
        read(named, "select * from sales")
    assert "wrong-Secret" not in str(told.value)


def test_numerics_dates_and_other_types_of_postgresql_can_be_read(
    postgresql: str, read: Callable[..., Records]
) -> None:
    frame = read(postgresql, "select 1 as buyer, price as item, id, at from odd").frame.collect()
    assert frame["item"].to_list() == ["1.50"]
    assert frame["id"].str.len_chars().to_list() == [32]


def test_a_column_of_sqlite_may_hold_anything(tmp_path: Path, read: Callable[..., Records]) -> None:
    with closing(sqlite3.connect(tmp_path / "a [1]%.db")) as connection:
        connection.execute("create table t (buyer, item)")
        connection.executemany("insert into t values (?, ?)", [(None, None), (1, 2), (2.5, "x"), (3, b"\x00")])
        connection.commit()
    frame = read("a [1]%.db", "select * from t").frame.collect()
    assert frame.schema == {"buyer": pl.Float64, "item": pl.String}
    assert frame["buyer"].to_list() == [1.0, 2.5, 3.0]
