"""The values of a dataset as one set: a run replaces all that it makes in one step, or nothing.

A folder of the home holds one dataset:

    movies/.runs/<run>/<asset>/       what a run has made so far
    movies/.versions/<run>/<asset>/   a complete set
    movies/.current -> .versions/...  the set that everybody reads: one link, replaced in one step
    movies/<asset> -> .current/...    where people find a value
"""

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from pipeline.experiment.liveness import is_gone, process_of_run

_RUNS, _VERSIONS, _CURRENT = ".runs", ".versions", ".current"
_COMPLETED = ".completed"
"""Names the runs whose values became a set's, or one's before it: the latest last."""
_MOST_NAMED = 100
_PROCESS = ".process"
"""Names the process that makes the values of a run; empty if each step has one of its own, on any machine."""
_STEP = "DAGSTER_RUN_STEP_KEY"
"""The variable with the name of the step, where a step is a job on a cluster."""


class Versions:
    """The sets of values of one dataset."""

    def __init__(self, folder: Path) -> None:
        """Keep the sets in a folder, which is made when the first value comes."""
        self.folder = folder

    def current(self, asset: str) -> Path:
        """Where everybody finds the value of an asset, whether there is one or not."""
        return self.folder / asset

    def made(self, run: str, asset: str) -> Path:
        """Where a run keeps the value of an asset until its set is complete."""
        return self.folder / _RUNS / run / asset

    def keep(self, run: str, asset: str, write: Callable[[Path], None]) -> Path:
        """Write a value of a run into its folder, in one step; the folder.

        Args:
            run: the run.
            asset: the asset.
            write: writes the value into the folder that it is given.
        """
        folder = self.made(run, asset)
        new = folder.with_name(f".{asset}.new")
        shutil.rmtree(new, ignore_errors=True)
        self._begin(run)
        new.mkdir()
        try:
            write(new)
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return folder

    def scratch(self, run: str, asset: str) -> Path:
        """Where a value of a run can grow that is too large for memory: a folder, not made yet."""
        self._begin(run)
        scratch = self.made(run, f".{asset}.scratch")
        shutil.rmtree(scratch, ignore_errors=True)
        return scratch

    def _begin(self, run: str) -> None:
        """Make the folder of a run, if there is none, and name the process that makes its values."""
        folder = self.folder / _RUNS / run
        with FileLock(self.folder / ".lock"):  # to `clean`, a folder without a process is what a dead one began
            folder.mkdir(parents=True, exist_ok=True)
            new = folder / f"{_PROCESS}.new"
            new.write_text("" if _STEP in os.environ else process_of_run())
            new.replace(folder / _PROCESS)

    def complete(
        self, run: str, planned: Collection[str], publish: Callable[[Mapping[str, Path]], None] | None = None
    ) -> bool:
        """Make what a run has made the current set, as soon as it has made all that it planned.

        Values of other assets stay as they are: their files are in both sets.

        Args:
            run: the run.
            planned: the assets that it makes.
            publish: brings what it has made to where other machines find it, by asset.

        Returns:
            Whether the set is complete and current.
        """
        made = self.folder / _RUNS / run
        with FileLock(self.folder / ".lock"):
            if not made.is_dir() or not all((made / asset).is_dir() for asset in planned):
                return False
            if publish is not None:
                publish({asset: made / asset for asset in _names(made)})
            for asset in _names(self.folder / _CURRENT):
                if not (made / asset).exists():
                    shutil.copytree(self.folder / _CURRENT / asset, made / asset, copy_function=os.link)
            completed = [*(one for one in self._completed() if one != run), run][-_MOST_NAMED:]
            (made / _COMPLETED).write_text("\n".join(completed))
            (self.folder / _VERSIONS).mkdir(exist_ok=True)
            version = self.folder / _VERSIONS / f"{run}.{uuid4().hex[:8]}"  # a run may complete a set twice
            made.rename(version)
            self._point_to(version)
        return True

    def has_completed(self, run: str) -> bool:
        """Whether what a run has made became current, also if another run has since made the set that is."""
        return run in self._completed()

    def _completed(self) -> list[str]:
        with suppress(FileNotFoundError):
            return (self.folder / _CURRENT / _COMPLETED).read_text().split()
        return []

    def _point_to(self, version: Path) -> None:
        _link(self.folder / _CURRENT, Path(_VERSIONS) / version.name)
        for asset in _names(version):
            place = self.folder / asset
            if place.is_dir() and not place.is_symlink():  # a value of an earlier release
                shutil.rmtree(place)
            if not place.is_symlink():
                _link(place, Path(_CURRENT) / asset)
        for other in (self.folder / _VERSIONS).iterdir():
            if other != version:
                shutil.rmtree(other, ignore_errors=True)

    def clean(self, is_over: Callable[[str], bool]) -> None:
        """Remove what runs have left that are over, and sets to which nothing points: a process that died left them.

        Args:
            is_over: whether a run has ended.
        """
        if not self.folder.is_dir():
            return
        with FileLock(self.folder / ".lock"):
            for run in _names(self.folder / _RUNS):
                process = self.folder / _RUNS / run / _PROCESS
                if is_over(run) or not process.exists() or is_gone(process.read_text()):
                    shutil.rmtree(self.folder / _RUNS / run, ignore_errors=True)
            current = (self.folder / _CURRENT).resolve().name
            for version in _names(self.folder / _VERSIONS):
                if version != current:
                    shutil.rmtree(self.folder / _VERSIONS / version, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return []


def _link(place: Path, to: Path) -> None:
    """Make a symbolic link, in one step."""
    new = place.with_name(f".{place.name}.link")
    with suppress(FileNotFoundError):
        new.unlink()
    new.symlink_to(to, target_is_directory=True)
    new.replace(place)
