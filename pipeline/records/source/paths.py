"""The files that a source names: folders and globs resolved, formats told by the endings of names."""

import glob
import os
import zipfile
from contextlib import suppress
from pathlib import Path

from pipeline.config.records import FORMATS, Source
from pipeline.errors import PipelineError
from pipeline.records.source.archives import members
from pipeline.records.source.object_stores import addresses
from pipeline.secrets import UnknownVariableError, expanded, masked

_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    **dict.fromkeys((".xlsx", ".xls", ".xlsb", ".ods"), "excel"),
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
    ".svm": "svmlight",
    ".mtx": "matrix_market",
    ".npz": "npz",
}
_USUAL = ("csv", "parquet", "ndjson")
_DELTA_LOG, _ICEBERG = "_delta_log", ".metadata.json"
"""The folder that makes a folder a Delta table, and how the file that describes an Iceberg table ends."""
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zlib", ".zip")


def name(source: Source) -> str:
    """The name of a source, for people to read."""
    if source.sample:
        return f"sample {source.sample}"
    return source.asset or masked(source.database or ", ".join(source.path or ()))


def resolved(source: Source, conf_folder: Path) -> list[str]:
    """The files and URLs that a source names, in the order in which they are read.

    Args:
        source: names files, folders, globs and URLs.
        conf_folder: folder of the conf file, where relative paths start; what is not there is looked for in the working
            directory.

    Raises:
        PipelineError: there is no such file.
    """
    return [
        found
        for path in source.path or ()
        for found in _resolve(variables_put_in(path, "source.path"), source, conf_folder)
    ]


def files_state(source: Source, conf_folder: Path) -> dict[str, tuple[int, int]]:
    """Size (bytes) and time of change (ns) of each local file: enough to notice a change without reading it.

    Raises:
        PipelineError: a file is missing.
    """
    paths = [Path(path) for path in resolved(source, conf_folder) if "://" not in path]
    logs = [sorted((path / _DELTA_LOG).glob("*.json")) for path in paths if path.is_dir()]
    paths = [*(path for path in paths if not path.is_dir()), *(log[-1] for log in logs if log)]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


def format_of(source: Source, path: str) -> str:
    """The format of a file, as `source.format` names it.

    Raises:
        PipelineError: conf does not say it, and the name does not end like one.
    """
    if source.format:
        return source.format
    if path.endswith(_ICEBERG):
        return "iceberg"
    if "://" not in path and (Path(path) / _DELTA_LOG).is_dir():
        return "delta"
    by_name = of_ending(path) or (of_ending(source.member) if source.member else None) or _of_archive(path)
    if by_name is None and (source.separator or source.columns):
        return "csv"
    if by_name is None:
        raise PipelineError(f"{path}: which format is this? Say `source.format`: {', '.join(FORMATS)}.")
    return by_name


def of_ending(path: str) -> str | None:
    """The format that the ending of a file's name stands for; None if it stands for none."""
    return _FORMATS.get(ending(path))


def without_way_back(path: str) -> str:
    """A path, or an address, as people read it.

    >>> without_way_back("/home/me/conf/../sales.csv"), without_way_back("https://host/sales.csv")
    ('/home/me/sales.csv', 'https://host/sales.csv')
    """
    return path if "://" in path else os.path.normpath(path)


def _of_archive(path: str) -> str | None:
    """The format of the files in a ZIP archive of this machine, by their names; None if these do not tell one."""
    names: list[str] = []
    if path.lower().endswith(".zip"):
        with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            names = members(archive)
    formats = {of_ending(name) for name in names}
    return formats.pop() if len(formats) == 1 else None


def ending(path: str) -> str:
    """The ending of a file's name, without that of a compression.

    >>> ending("sales.CSV.gz"), ending("https://host/sales.tsv?page=1")
    ('.csv', '.tsv')
    """
    bare = path.split("?", 1)[0] if "://" in path else path
    suffixes = [suffix.lower() for suffix in Path(bare).suffixes if suffix.lower() not in COMPRESSIONS]
    return suffixes[-1] if suffixes else ""


def without_ending(path: str) -> str:
    """The name of a file, without its folder and the endings of its format and compression.

    >>> without_ending("new.2024-01-02.csv.gz"), without_ending("https://host/sales.tsv?page=1")
    ('new.2024-01-02', 'sales')
    """
    bare = Path(path.split("?", 1)[0] if "://" in path else path).name
    for endings in (COMPRESSIONS, tuple(_FORMATS)):
        if bare.lower().endswith(endings):
            bare = bare[: bare.rindex(".")]
    return bare


def variables_put_in(address: str, key: str) -> str:
    """An address with the values of the variables of the environment that it names.

    Raises:
        PipelineError: the environment lacks one.
    """
    try:
        return expanded(address)
    except UnknownVariableError as error:
        raise PipelineError(
            f"{address}: the environment has no variable {error}. Set it, or correct `{key}`."
        ) from None


def _resolve(path: str, source: Source, conf_folder: Path) -> list[str]:
    if "://" in path:
        return addresses(path)
    folders = list(dict.fromkeys((conf_folder, Path.cwd())))
    for folder in folders:
        whole = folder / Path(path).expanduser()
        if os.path.lexists(whole):  # a name may hold characters that mean something in a glob
            return _of_folder(whole, source) if whole.is_dir() else [_readable(whole)]
        fits = sorted(glob.glob(str(Path(path).expanduser()), root_dir=folder, recursive=True))  # so may the folder's
        files = [folder / one for one in fits if not (folder / one).is_dir()]
        if files:
            return [_readable(one) for one in files]
    looked = " and ".join(dict.fromkeys(os.path.normpath(folder / Path(path).expanduser()) for folder in folders))
    looked_for = "" if looked == path else f" (looked for {looked})"
    raise PipelineError(f"{path}: there is no such file{looked_for}. Correct `source.path`.")


def _of_folder(folder: Path, source: Source) -> list[str]:
    """Every file below a folder whose name ends like one of the formats, or every file if conf says the format.

    A Delta table is its folder, and an Iceberg table the newest file that describes it.
    """
    if (folder / _DELTA_LOG).is_dir():
        return [str(folder)]
    described = sorted((folder / "metadata").glob(f"*{_ICEBERG}"), key=lambda path: path.stat().st_mtime_ns)
    if described:
        return [str(described[-1])]
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
    if not source.format:
        paths = [path for path in paths if ending(str(path)) in _FORMATS]
        # beside tables other files, such as a .json or a .txt, rather tell something about them
        usual = [path for path in paths if _FORMATS[ending(str(path))] in _USUAL]
        paths = [path for path in usual if ending(str(path)) != ".txt"] or usual or paths
    if not paths:
        raise PipelineError(
            f"{os.path.normpath(folder)}: the folder holds no file of a known format. Correct `source.path`."
        )
    return [str(path) for path in paths]


def _readable(path: Path) -> str:
    """The path, if it leads to a file."""
    try:
        path.stat()
    except (OSError, RuntimeError) as error:
        what = f"a link to {path.readlink()}, which leads nowhere" if path.is_symlink() else "cannot be opened"
        raise PipelineError(f"{os.path.normpath(path)}: is {what}. Correct `source.path`.") from error
    return str(path)
