"""Text files in object stores, at any address that fsspec knows: copied into a folder, where they stay.

Parquet files are not copied: Polars reads from the store what it needs of them.
"""

import glob
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.errors import PipelineError, in_one_line
from pipeline.records.source.urls import WEB, fetched, place_of


def on_this_machine(path: str, folder: Path) -> Path:
    """A file as one of this machine: fetched by http(s), or copied out of an object store, if that is where it is.

    Args:
        path: its path or address.
        folder: where fetched and copied files stay.

    Raises:
        PipelineError: it cannot be fetched.
    """
    if path.startswith(WEB):
        return fetched(path, folder)
    return copied(path, folder) if is_in_store(path) else Path(path)


def is_in_store(path: str) -> bool:
    """Whether a path is the address of a file in an object store, such as `s3://bucket/sales.csv`."""
    return "://" in path and not path.startswith(WEB)


def addresses(url: str) -> list[str]:
    """The addresses that a glob in an object store stands for, such as `s3://bucket/*.csv`; others as they are.

    Raises:
        PipelineError: nothing matches, or the store cannot be used.
    """
    if not is_in_store(url) or not glob.has_magic(url):
        return [url]
    files, path = _opened(url)
    try:
        found = sorted(files.glob(path))
    except Exception as error:  # each kind of store raises its own
        raise _unreadable(url, error) from None
    if not found:
        raise PipelineError(f"{url}: there is no such file. Correct `source.path`.")
    return [str(files.unstrip_protocol(one)) for one in found]


def copied(url: str, folder: Path) -> Path:
    """The file at an address in an object store, in a folder; it is copied anew only if it has changed.

    Args:
        url: its address.
        folder: where copied files stay; made if it is missing.

    Raises:
        PipelineError: the file cannot be read, or fsspec has no driver for such a store.
    """
    from fsspec.callbacks import TqdmCallback

    path = place_of(url, folder)
    part, about = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.key")
    files, there = _opened(url)
    with FileLock(path.with_name(f".{path.name}.lock")):
        try:
            key = str(files.ukey(there))
            if path.exists() and about.exists() and about.read_text() == key:
                return path
            bar = {"unit": "B", "unit_scale": True, "desc": there.rpartition("/")[2], "mininterval": 1}
            files.get_file(there, str(part), callback=TqdmCallback(tqdm_kwargs=bar))
        except FileNotFoundError:
            raise PipelineError(f"{url}: there is no such file. Correct `source.path`.") from None
        except Exception as error:
            raise _unreadable(url, error) from None
        about.unlink(missing_ok=True)
        part.replace(path)
        about.write_text(key)
    return path


def _opened(url: str) -> tuple[Any, str]:
    """The store of an address, and the path of the file in it."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:  # fsspec names the package
        raise PipelineError(f"{url}: a driver for such a store is not installed ({error}).") from None
    except ValueError as error:
        raise PipelineError(f"{url}: cannot be read ({error}). Correct `source.path`.") from None
    return files, path


def _unreadable(url: str, error: Exception) -> PipelineError:
    reason = in_one_line(error) or type(error).__name__
    return PipelineError(f"{url}: cannot be read ({reason}). Correct `source.path`, or look at the credentials.")
