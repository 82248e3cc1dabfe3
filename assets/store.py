"""An object store behind the home, at any URL that fsspec knows: values that one machine has made, others find there.

Each version of a value has its own folder, and a small file names the current version. That file is written last, in
one go, so that a reader sees the earlier value or the new one, and never half of either.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline.errors import PipelineError

_CURRENT = "current"
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

    def put(self, folder: Path, name: str) -> None:
        """Make a local folder the current version of a value, and mark the folder as a copy of it."""
        files, root = self._root
        before, version = self.version(name), uuid4().hex
        try:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    target = f"{root}/{name}/{version}/{path.relative_to(folder).as_posix()}"
                    files.makedirs(os.path.dirname(target), exist_ok=True)
                    files.put_file(str(path), target)
            files.pipe_file(f"{root}/{name}/{_CURRENT}", version.encode())
        except Exception as error:
            raise PipelineError(f"PIPELINE_STORE={self.url} cannot be written: {error}") from error
        (folder / MARK).write_text(version)
        if before:
            with suppress(Exception):  # it is no longer current: what is left of it only takes up space
                files.rm(f"{root}/{name}/{before}", recursive=True)

    def get(self, name: str, folder: Path) -> bool:
        """Update a local folder to the current version of a value; False if there is no value."""
        version = self.version(name)
        if version is None:
            return False
        mark = folder / MARK
        if mark.exists() and mark.read_text() == version:
            return True
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
        return True
