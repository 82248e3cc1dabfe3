import gzip
import hashlib
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.records.cleaning.cleaner import Cleaner
from pipeline.records.ingest import ingest
from pipeline.records.source.batch import Batch

BASE: dict[str, Any] = {
    "description": "d",
    "example": "user",
    "tokens": [{"kind": "value", "columns": "movie", "label": "{title}"}],
    "task": {"kind": "missing_tokens"},
    "dimensions": [1],
}
RECORDS = pl.DataFrame({"user": ["1", "2"], "movie": ["007", "é,\n8"], "title": ["a", "b"]})


@pytest.fixture
def read(write_conf: Callable[..., Path], tmp_path: Path) -> Callable[..., pl.DataFrame]:
    """Read the records of a source as the pipeline does."""
    times = count()

    def make(**source: Any) -> pl.DataFrame:
        path = write_conf("some", {**BASE, "source": source})
        return ingest(load(path), path.parent, tmp_path / f"read_{next(times)}").frame.collect()

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The conf folder, from which relative paths start."""
    (tmp_path / "conf").mkdir()
    return tmp_path / "conf"


def test_csv_stays_text_so_that_a_token_is_what_the_file_says(read: Callable[..., pl.DataFrame], folder: Path) -> None:
    RECORDS.write_csv(folder / "r.csv")
    assert read(path="r.csv").equals(RECORDS)


def test_other_formats_and_compressions_say_the_same(read: Callable[..., pl.DataFrame], folder: Path) -> None:
    RECORDS.write_parquet(folder / "r.parquet")
    RECORDS.write_ndjson(folder / "r.jsonl")
    RECORDS.write_json(folder / "r.json")
    RECORDS.write_ipc(folder / "r.feather", compression="zstd")
    RECORDS.write_ipc_stream(folder / "r.arrow")
    RECORDS.write_csv(folder / "r.tsv", separator="\t")
    RECORDS.write_csv(folder / "r.data", separator=";")
    (folder / "r.csv.gz").write_bytes(gzip.compress(RECORDS.write_csv().encode()))
    for path in ("r.parquet", "r.jsonl", "r.json", "r.feather", "r.arrow", "r.tsv", "r.csv.gz"):
        assert read(path=path).equals(RECORDS), path
    assert read(path="r.data", format="csv", separator=";").equals(RECORDS)


def test_a_column_whose_name_polars_takes_for_a_pattern_gets_another(
    read: Callable[..., pl.DataFrame], folder: Path
) -> None:
    odd = RECORDS.rename({"user": "^user$", "movie": "^.*$", "title": "*"})
    odd.write_csv(folder / "r.csv")
    odd.write_parquet(folder / "r.parquet")
    odd.write_ndjson(folder / "r.jsonl")
    odd.write_excel(folder / "r.xlsx")
    with closing(sqlite3.connect(folder / "r.db")) as database:
        database.execute('create table r ("^user$" text, "^.*$" text, "*" text)')
        database.executemany("insert into r values (?, ?, ?)", odd.rows())
        database.commit()
    names = {".*": "movie", "column_3": "title"}
    for path in ("r.csv", "r.parquet", "r.jsonl", "r.xlsx"):
        assert read(path=path, rename=names).cast(pl.String).rows()[1] == RECORDS.rows()[1], path
    assert read(database="r.db", query="select * from r", rename=names).equals(RECORDS)
    (folder / "bare.csv").write_text("1,007,a\n")
    assert read(path="bare.csv", columns=["^user$", "movie", "*"], rename={"column_3": "title"}).rows() == [
        ("1", "007", "a")
    ]
    with pytest.raises(PipelineError, match=r"tokens\[0\]\.columns\[0\]: there is no column 'movie'"):
        read(path="r.csv")
    with pytest.raises(PipelineError, match=r"source\.rename: '\^movie\$' is a pattern for many columns\."):
        read(path="r.csv", rename={".*": "^movie$"})


def test_a_zip_archive_tells_the_format_by_the_names_in_it(read: Callable[..., pl.DataFrame], folder: Path) -> None:
    for name, members in (("one", ("in/r.csv",)), ("tabs", ("r.tsv",)), ("two", ("a.csv", "b.csv")), ("odd", ("r",))):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for member in members:
                archive.writestr(member, RECORDS.write_csv(separator="\t" if "tsv" in member else ","))
    assert read(path="one.zip").equals(RECORDS)
    assert read(path="tabs.zip").equals(RECORDS)
    with pytest.raises(PipelineError, match=r"the archive holds a\.csv, b\.csv: say in `source\.member` which file"):
        read(path="two.zip")
    with pytest.raises(PipelineError, match=r"odd\.zip: which format is this\?"):
        read(path="odd.zip")


def test_files_of_an_archive_are_read_in_the_order_of_their_names(
    read: Callable[..., pl.DataFrame], folder: Path
) -> None:
    """Their columns may stand in another order, and one may have no record; what is wrong is told with its file."""
    first, second = RECORDS.head(1), RECORDS.tail(1).select("title", "user", "movie")
    with zipfile.ZipFile(folder / "months.zip", "w") as archive:
        archive.writestr("m/2024-02.csv", second.write_csv())
        archive.writestr("m/2024-01.csv", first.write_csv())
        archive.writestr("m/2024-03.csv", first.clear().write_csv())
        archive.writestr("2024-04.csv", "")
        archive.writestr("titles.csv", "title\na\n")
    assert read(path="months.zip", member="*2024*").equals(RECORDS)
    digest = hashlib.sha256((folder / "months.zip").read_bytes()).hexdigest()
    assert read(path="months.zip", member="*2024*", sha256=digest).equals(RECORDS)
    with pytest.raises(
        PipelineError, match=r"months\.zip, titles\.csv: lacks the column 'user', which .*2024-01\.csv has"
    ):
        read(path="months.zip", member="*.csv")


def test_what_a_file_manager_adds_to_an_archive_is_none_of_its_files(
    read: Callable[..., pl.DataFrame], folder: Path
) -> None:
    with zipfile.ZipFile(folder / "finder.zip", "w") as archive:
        archive.writestr("sales/r.csv", RECORDS.write_csv())
        for added in ("sales/.DS_Store", "__MACOSX/sales/._r.csv", "sales/Thumbs.db"):
            archive.writestr(added, b"\0\5\x16\7")
    assert read(path="finder.zip").equals(RECORDS)


def test_lines_before_the_first_record_may_tell_about_the_file(read: Callable[..., pl.DataFrame], folder: Path) -> None:
    (folder / "r.txt").write_text("# made today\n# by hand\nuser\tmovie\ttitle\n1\t#7\ta\n#2\t8\tb\n")
    found = read(path="r.txt", comment="#")
    assert found.select("user", "movie").rows() == [("1", "#7"), ("#2", "8")]


@pytest.mark.parametrize("block", [8, 2**20])
def test_lines_above_the_names_are_left_out_and_the_others_keep_their_numbers(
    read: Callable[..., pl.DataFrame], folder: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("pipeline.records.source.streams.BLOCK", block)
    head = "Ratings of 2024, the whole year\n\n# made by hand\n"
    (folder / "r.csv").write_text(head + "user,movie,title\n1,7,a\n2,8,b\n")
    found = read(path="r.csv", skip=3)
    assert found.select("user", "movie").rows() == [("1", "7"), ("2", "8")]
    assert read(path="r.csv", skip=2, comment="#").equals(found)
    (folder / "r.csv").write_text(head + "1,7,a\n2,8,b\n")
    assert read(path="r.csv", skip=3, columns=["user", "movie", "title"]).equals(found)


@pytest.mark.parametrize("ending", ["parquet", "ndjson"])
def test_files_of_other_formats_have_no_lines_above_the_names(
    read: Callable[..., pl.DataFrame], folder: Path, ending: str
) -> None:
    """A file to be answered may be of another format than those that were learned from."""
    write = {"parquet": RECORDS.write_parquet, "ndjson": RECORDS.write_ndjson}
    write[ending](folder / f"r.{ending}")
    assert read(path=f"r.{ending}", skip=2).equals(read(path=f"r.{ending}"))


def test_a_file_about_the_tables_of_a_folder_is_none_of_them(read: Callable[..., pl.DataFrame], folder: Path) -> None:
    (folder / "all").mkdir()
    RECORDS.write_csv(folder / "all" / "r.csv")
    (folder / "all" / "about.json").write_text('{"made": "today"}')
    (folder / "all" / "README.txt").write_text("Made today, by me.\n")
    assert read(path="all").equals(RECORDS)
    RECORDS.write_csv(folder / "all" / "README.txt")
    (folder / "all" / "r.csv").unlink()
    assert read(path="all").equals(RECORDS)


def test_several_files_and_globs_are_one_table(read: Callable[..., pl.DataFrame], folder: Path) -> None:
    for name, rows in (("a", RECORDS[:1]), ("b", RECORDS[1:])):
        rows.write_parquet(folder / f"{name}.parquet")
    assert read(path="*.parquet").equals(RECORDS)
    assert read(path=["b.parquet", "a.parquet"]).equals(RECORDS.reverse())


def test_an_absolute_path_and_one_from_the_working_directory(
    read: Callable[..., pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RECORDS.write_parquet(tmp_path / "elsewhere.parquet")
    assert read(path=str(tmp_path / "elsewhere.parquet")).equals(RECORDS)
    monkeypatch.chdir(tmp_path)
    assert read(path="elsewhere.parquet").equals(RECORDS)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("r.csv", None, r"r.csv: there is no such file \(looked for .* and .*\). Correct `source.path`"),
        ("r.csv", b"", "r.csv: the file is empty"),
        ("r.csv", b"\n\n", "r.csv: "),
        ("r.csv", b"user,movie,title\n", "r.csv: has columns, but not a single record"),
        (
            "r.csv",
            b"user,film,title\n1,2,3\n",
            r"some.yaml, tokens\[0\].columns\[0\]: there is no column 'movie' in r.csv",
        ),
        (
            "r.csv",
            b"usr,movie,title\n1,2,3\n",
            "some.yaml, example: there is no column 'user' in r.csv, did you mean 'usr'",
        ),
        ("r.csv", b"user,movie,name\n1,2,3\n", r"tokens\[0\].label \(title\): there is no column 'title'"),
        ("r.parquet", b"no parquet", "r.parquet: cannot be read as parquet"),
        ("r.xyz", b"user\n1\n", r"r.xyz: which format is this\? Say `source.format`"),
    ],
)
def test_a_source_that_cannot_be_used_is_told_in_a_sentence(
    read: Callable[..., pl.DataFrame], folder: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(PipelineError, match=sentence):
        read(path=name)


@pytest.mark.parametrize("nothing", [b"", b"\n\n", b"user,movie,title\n"])
@pytest.mark.parametrize("place", ["a", "c"])
def test_a_file_without_a_record_is_passed_over_and_told_where_others_have_some(
    read: Callable[..., pl.DataFrame],
    folder: Path,
    place: str,
    nothing: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    RECORDS.write_csv(folder / "b.csv")
    (folder / f"{place}.csv").write_bytes(nothing)
    assert read(path="*.csv").equals(RECORDS)
    assert caplog.messages == [f"passed over, without a record: {folder / place}.csv"]
    (folder / "b.csv").write_bytes(nothing)
    with pytest.raises(PipelineError, match=r"(a|b)\.csv: the file is empty\.|\*\.csv: has columns, but not a single"):
        read(path="*.csv")


@pytest.mark.parametrize("ending", ["parquet", "feather", "jsonl", "json", "xlsx", "csv.gz"])
def test_an_empty_file_of_any_format_is_passed_over(
    read: Callable[..., pl.DataFrame], folder: Path, ending: str
) -> None:
    write = {"parquet": RECORDS.write_parquet, "feather": RECORDS.write_ipc, "xlsx": RECORDS.write_excel}
    write |= {"jsonl": RECORDS.write_ndjson, "json": RECORDS.write_json}
    if ending == "csv.gz":
        (folder / "a.csv.gz").write_bytes(gzip.compress(b""))
        (folder / "b.csv.gz").write_bytes(gzip.compress(RECORDS.write_csv().encode()))
    else:
        (folder / f"a.{ending}").touch()
        write[ending](folder / f"b.{ending}")
    assert read(path=f"*.{ending}").height == RECORDS.height


@pytest.mark.parametrize("place", ["a", "c"])
@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_a_column_without_any_value_in_one_file_is_of_the_type_that_it_has_in_another(
    read: Callable[..., pl.DataFrame], folder: Path, place: str, ending: str
) -> None:
    bare = RECORDS.with_columns(title=pl.lit(None, pl.Null), year=pl.lit(None, pl.Null))
    for name, frame in (("b", RECORDS.with_columns(year=pl.lit(1995, pl.Int64))), (place, bare)):
        frame.write_parquet(folder / f"{name}.{ending}") if ending == "parquet" else frame.write_ipc(
            folder / f"{name}.{ending}"
        )
    found = read(path=f"*.{ending}")
    assert found.schema == {**RECORDS.schema, "year": pl.Int64}
    rows = [(None, None)] * 2, [("a", 1995), ("b", 1995)]
    assert found.select("title", "year").rows() == [*rows[place == "c"], *rows[place == "a"]]


@pytest.mark.parametrize("changed", ["a.csv", "b.csv", "r.parquet", "r.ndjson"])
def test_files_that_change_while_they_are_read_are_no_source(
    read: Callable[..., pl.DataFrame], folder: Path, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        RECORDS.write_csv(folder / name)
    RECORDS.write_parquet(folder / "r.parquet")
    RECORDS.write_ndjson(folder / "r.ndjson")

    def clean(cleaner: Cleaner, batch: Batch) -> pl.DataFrame:
        RECORDS[:1].write_csv(folder / changed)
        return cleaned(cleaner, batch)

    cleaned = Cleaner.clean
    monkeypatch.setattr(Cleaner, "clean", clean)
    with pytest.raises(PipelineError, match=f"{changed}: the file was changed while the source was read. Run again"):
        read(path="[ab].csv" if changed.endswith("csv") else changed)


def test_the_sample_has_whole_years(write_conf: Callable[..., Path], tmp_path: Path) -> None:
    """pandas gives 1995.0 where one year of the column is missing."""
    conf = load(write_conf("some", {**BASE, "source": {"sample": "movielens"}, "example": "userId", "tokens": [
        {"kind": "value", "columns": "movieId", "label": "{title} ({year})"}]}))  # fmt: skip
    records = ingest(conf, Path(), tmp_path / "read")
    assert records.frame.collect_schema()["year"] == pl.Int64
    assert len(records) == 100_004


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("r.csv", b"", "r.csv: the file is empty"),
        ("r.xlsx", b"user,movie", "r.xlsx: cannot be read as a workbook"),
        ("r.parquet", b"user,movie", "r.parquet: cannot be read as parquet"),
        ("r.json", b"[{", "r.json: line 1: is no JSON"),
    ],
)
def test_a_file_beside_the_conf_folder_is_told_by_a_path_without_a_way_back(
    name: str, content: bytes, said: str, read: Callable[..., pl.DataFrame], folder: Path
) -> None:
    (folder.parent / name).write_bytes(content)
    with pytest.raises(PipelineError) as refused:
        read(path=f"../{name}")
    assert str(refused.value).startswith(f"{folder.parent / said}")
