"""The columns that the folders of files name, as Hive, Spark and Polars write them: `data/genre=Drama/part.parquet`."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""The value of a folder that stands for a missing one."""


def partitions(paths: Sequence[str], conf_folder: Path) -> dict[str, dict[str, str | None]]:
    """For each file the values that its folders say, by the names of those columns that the folders of all files have.

    >>> partitions(["run=1/genre=Sci%2DFi/x.csv", "run=1/genre=Drama/year=2020/y.csv"], Path("run=1"))
    {'run=1/genre=Sci%2DFi/x.csv': {'genre': 'Sci-Fi'}, 'run=1/genre=Drama/year=2020/y.csv': {'genre': 'Drama'}}

    Args:
        paths: of files, or their addresses.
        conf_folder: where relative paths start; what stands before it in a path says nothing about the data.
    """
    found = {path: _said(path.removeprefix(str(conf_folder))) for path in paths}
    shared = set.intersection(*({*said} for said in found.values())) if found else set()
    return {path: {name: said[name] for name in said if name in shared} for path, said in found.items()}


def _said(path: str) -> dict[str, str | None]:
    folders = path.split("?", 1)[0].split("/")[:-1] if "://" in path else Path(path).parts[:-1]
    pairs = (folder.partition("=") for folder in folders)
    return {
        unquote(name): None if value == _NO_VALUE else unquote(value) for name, mark, value in pairs if name and mark
    }
