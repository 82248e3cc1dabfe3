"""An object store behind the home, at any URL that fsspec knows: values that one machine has made, others find there.

Each version of a value has its own folder, and a small file names the current version. That file is written last, in
one go, so that a reader sees the earlier value or the new one, and never half of either.
"""

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline.errors import PipelineError

_CURRENT = "current"
_KEPT_SECONDS = 24 * 3600
"""A version that is not current stays so long at least: another machine may be writing it."""
MARK = ".version"
"""The file in a local folder that names the version of which the folder is a copy."""


@dataclass(frozen=True)
class Store:
    """Folders under a URL."""

    url: str

    @cached_property
    def _root(self) -> tuple[Any, str]:
        import fsspec

        try:
            return fsspec.core.url_to_fs(self.url.rstrip("/"))  # type: ignore[no-any-return]
        except (ImportError, ValueError) as error:
            raise PipelineError(f"PIPELINE_STORE={self.url} cannot be used: {error}") from error

    def version(self, name: str) -> str | None:
        """The current version of a value; None if there is no value."""
        files, root = self._root
        try:
            return str(files.cat_file(f"{root}/{name}/{_CURRENT}").decode())
        except FileNotFoundError:
            return None
        except Exception as error:  # each kind of store raises its own
            raise PipelineError(f"PIPELINE_STORE={self.url} cannot be read: {error}") from error

    def put(self, folders: Mapping[str, Path]) -> None:
        """Make local folders the current versions of values, and mark each as a copy of its value.

        All files are there before the first value is replaced.
        """
        files, root = self._root
        version, before = f"{time.time():.0f}-{uuid4().hex}", {name: self.version(name) for name in folders}
        try:
            for name, folder in folders.items():
                for path in sorted(folder.rglob("*")):
                    if path.is_file():
                        target = f"{root}/{name}/{version}/{path.relative_to(folder).as_posix()}"
                        files.makedirs(os.path.dirname(target), exist_ok=True)
                        files.put_file(str(path), target)
            for name in folders:
                files.pipe_file(f"{root}/{name}/{_CURRENT}", version.encode())
        except Exception as error:
            raise PipelineError(f"PIPELINE_STORE={self.url} cannot be written: {error}") from error
        for name, folder in folders.items():
            (folder / MARK).write_text(version)
            with suppress(Exception):  # what is left of other versions only takes up space
                for path in files.ls(f"{root}/{name}", detail=False):
                    other = path.rpartition("/")[2]
                    if other != version and (other == before[name] or _is_old(other)):
                        files.rm(path, recursive=True)

    def get(self, name: str, own: Path, folder: Path) -> Path | None:
        """A local folder with the current version of a value; None if there is no value.

        Args:
            name: of the value.
            own: the folder of this machine's own value, which may be the current version.
            folder: where a version of another machine is fetched to.
        """
        version = self.version(name)
        if version is None:
            return None
        for place in (own, folder):
            if (place / MARK).exists() and (place / MARK).read_text() == version:
                return place
        files, root = self._root
        new = folder.with_name(f".{folder.name}.fetched-{os.getpid()}")
        shutil.rmtree(new, ignore_errors=True)
        try:
            for source in files.find(f"{root}/{name}/{version}"):
                target = new / source.rpartition(f"/{version}/")[2]
                target.parent.mkdir(parents=True, exist_ok=True)
                files.get_file(source, str(target))
            (new / MARK).write_text(version)
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
        except Exception as error:
            raise PipelineError(f"PIPELINE_STORE={self.url} cannot be read: {error}") from error
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return folder


def _is_old(version: str) -> bool:
    """Whether a version was begun long ago, as its name tells; the names of other files do not."""
    begun, _, rest = version.partition("-")
    return bool(rest) and begun.isdecimal() and int(begun) < time.time() - _KEPT_SECONDS
