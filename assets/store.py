"""An object store behind the home: what one machine has made another one finds there. Any URL that fsspec knows.

A value lies in a folder of its own version, and a small file names the version that counts. That file is written last,
in one go, so that a reader sees the earlier value or the new one, and never half of either.
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
"""The file in a local folder that says which version it is a copy of."""


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
        """The version of a value that counts; None where there is no value."""
        files, root = self._root
        try:
            return str(files.cat_file(f"{root}/{name}/{_CURRENT}").decode())
        except FileNotFoundError:
            return None
        except Exception as error:  # each kind of store has its own
            raise PipelineError(f"PIPELINE_STORE={self.url} cannot be read: {error}") from error

    def put(self, folder: Path, name: str) -> None:
        """Make a local folder the value that counts, and mark it as a copy of that."""
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
            with suppress(Exception):  # it does not count any more: what is left of it only takes room
                files.rm(f"{root}/{name}/{before}", recursive=True)

    def get(self, name: str, folder: Path) -> bool:
        """Bring a local folder to the version that counts; False where there is no value."""
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
