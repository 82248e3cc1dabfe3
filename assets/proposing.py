"""From the command line: look at data, and write a conf file for it. Dagster is not needed, so the answer is quick."""

import os
import re
from pathlib import Path

from assets.home import conf_folder, home
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.home import is_clone, project, typed
from pipeline.proposal.conf_file import proposed

_WORKSPACE = """\
# What `dagster dev` loads: every dataset of the conf folder, one asset group each. Dagster looks for modules in the
# working directory first: beside conf there may be a pipeline.py or a folder `assets` of your own.
load_from:
  - python_module: {module_name: assets.definitions, working_directory: conf}
"""


def new(name: str, source: str, query: str | None = None) -> int:
    """Look at a source, and write a conf file for it; an exit code.

    Raises:
        PipelineError: there is such a dataset already, its name cannot be one, or the source cannot be read.
    """
    folder = conf_folder()
    path = folder / f"{name}.yaml"
    for there in (folder / f"{name}.yml", path):
        if there.exists():
            raise _is_there(there)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise PipelineError(f"{name!r} cannot be the name of a dataset: take letters, digits and _, no digit first.")
    folder.mkdir(parents=True, exist_ok=True)
    text = proposed(name, _from_the_conf_folder(source, folder), query, folder, home() / "downloads")
    try:
        with path.open("x", encoding="utf-8") as file:  # the look takes a while, in which another may have written it
            file.write(text)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError:
        path.unlink(missing_ok=True)
        raise
    load(path)  # fails if what was written cannot be read
    if not is_clone() and not (project() / "workspace.yaml").exists():
        (project() / "workspace.yaml").write_text(_WORKSPACE)
    print(f"{text}\nThis is in {path}. Change what is wrong, then: {typed('run', name)}")
    return 0


def _is_there(path: Path) -> PipelineError:
    return PipelineError(f"{path}: is there already. Choose another name, or remove it.")


def _from_the_conf_folder(source: str, folder: Path) -> str:
    """A path as a conf file names it: from its own folder if both are in one project, else from the root."""
    if "://" in source or not Path(source).expanduser().exists():
        return source
    path = Path(source).expanduser().absolute()
    return os.path.relpath(path, folder) if path.is_relative_to(folder.parent) else str(path)
