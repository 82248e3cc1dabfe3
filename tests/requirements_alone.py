"""A folder with the packages of some requirements and of what these require, and nothing else of this environment."""

import shutil
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement


def packages_alone(requirements: list[str], folder: Path) -> Path:
    """Link the packages into a folder, as `pip install` with these requirements alone would put them there.

    Args:
        requirements: such as `numpy==2.4.6`; the versions are those that are installed here.
        folder: made here.
    """
    folder.mkdir()
    waiting, seen = [Requirement(one) for one in requirements], set()
    while waiting:
        asked = waiting.pop()
        if (asked.name, *sorted(asked.extras)) in seen or (asked.marker and not asked.marker.evaluate({"extra": ""})):
            continue
        seen.add((asked.name, *sorted(asked.extras)))
        found = distribution(asked.name)
        assert not asked.specifier or asked.specifier.contains(found.version.partition("+")[0], prereleases=True), asked
        for extra in ("", *asked.extras):
            for line in found.requires or []:
                inner = Requirement(line)
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    inner.marker = None
                    waiting.append(inner)
        _link(found, folder)
    return folder


def _link(found: object, folder: Path) -> None:
    files = found.files or []  # type: ignore[attr-defined]
    for top in {file.parts[0] for file in files if ".." not in file.parts}:
        target = Path(str(found.locate_file(top)))  # type: ignore[attr-defined]
        place = folder / top
        if top == "__pycache__" or not target.exists():
            continue
        if not place.exists():
            place.symlink_to(target, target_is_directory=target.is_dir())
        elif place.is_symlink() and target.is_dir() and place.resolve() != target.resolve():
            shutil.copytree(target, place)
