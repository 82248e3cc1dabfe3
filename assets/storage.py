"""Where everything is written, and how an asset's value is saved and loaded: atomically, or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.store import Store
from pipeline.errors import PipelineError
from pipeline.secrets import masked

PROJECT = Path(__file__).resolve().parent.parent

_DAGSTER_YAML = """\
# Written by Embedding Pipeline where there was no dagster.yaml; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
"""


def home() -> Path:
    """The one folder in which everything is written: PIPELINE_HOME, by default `var` beside the code."""
    return _folder("PIPELINE_HOME", "var")


def conf_folder() -> Path:
    """The folder of the dataset files: PIPELINE_CONF, by default `conf` beside the code."""
    return _folder("PIPELINE_CONF", "conf")


def store() -> Store | None:
    """The store of values that several machines share: PIPELINE_STORE, a URL such as `s3://bucket/folder`; or None.

    Raises:
        PipelineError: it is no URL.
    """
    url = os.environ.get("PIPELINE_STORE")
    if url and "://" not in url:
        raise PipelineError(f"PIPELINE_STORE={url} is no URL: give one such as s3://bucket/folder or file:///folder.")
    if url and masked(url) != url:
        raise PipelineError(
            f"PIPELINE_STORE={url}: MLflow would keep its password. Give it in the variables of the store's own "
            "library, such as AWS_SECRET_ACCESS_KEY."
        )
    return Store(url) if url else None


def _folder(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else PROJECT / default


def dagster_home() -> Path:
    """Dagster's own folder in the home, made if it is missing, with telemetry switched off."""
    folder = home() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "dagster.yaml"
    if not settings.exists():
        settings.write_text(_DAGSTER_YAML)
    return folder


@contextmanager
def for_people(where: str) -> Iterator[None]:
    """Turn a mistake that the user can correct into a Dagster failure with a message about it.

    Args:
        where: the place as the user knows it, such as the conf file.
    """
    try:
        yield
    except PipelineError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None  # its cause may hold a secret
    except pl.exceptions.PolarsError as error:
        first = masked(str(error).strip().split("\n", 1)[0])
        sentence = f"{where}: the raw records cannot be read as it says: {first}."
        raise dg.Failure(description=sentence, allow_retries=False) from None
    except Exception as error:
        said = masked(str(error))
        if said != str(error):  # a defect of the pipeline, whose message may be kept like any other
            raise RuntimeError(f"{type(error).__name__}: {said}") from None
        raise


class FolderIOManager(dg.IOManager):
    """Keeps the value of each asset in a folder of its own: `data/<dataset>/<asset>/` in the home.

    A value has `save(folder)` and a class method `load(folder)`. A folder is replaced whole, once the new one is
    complete: a failure leaves the earlier value as it was. If there is a store, the current value is there, and the
    folder is a copy.
    """

    def __init__(self, root: str, store: str = "") -> None:
        """Keep values below a folder, and in a store if there is one."""
        self.root, self.store = root, store

    def folder(self, key: dg.AssetKey) -> Path:
        """The folder of an asset."""
        return Path(self.root).joinpath(*key.path)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Write the value beside the earlier one, then put it in its place."""
        folder = self.folder(context.asset_key)
        new, old = (folder.with_name(f".{folder.name}.{state}-{os.getpid()}") for state in ("new", "old"))
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        try:
            with for_people(context.asset_key.to_user_string()):
                obj.save(new)  # type: ignore[attr-defined]
                if self.store:
                    Store(self.store).put(new, "/".join(context.asset_key.path))
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        megabytes = dg.MetadataValue.float(round(size / 1e6, 2))
        context.add_output_metadata({"path": dg.MetadataValue.path(str(folder)), "megabytes": megabytes})

    def scratch(self, key: dg.AssetKey) -> Path:
        """A folder, not made yet, in which an asset's value that is too large for memory can grow."""
        folder = self.folder(key)
        scratch = folder.with_name(f".{folder.name}.scratch-{os.getpid()}")
        shutil.rmtree(scratch, ignore_errors=True)
        return scratch

    def current(self, key: dg.AssetKey) -> Path:
        """The folder of an asset with its current value, fetched from the store if another machine made it.

        Raises:
            PipelineError: it was never materialised, or the store cannot be read.
        """
        folder = self.folder(key)
        if not (Store(self.store).get("/".join(key.path), folder) if self.store else folder.exists()):
            where = f"in {self.store}" if self.store else "in this home"
            raise PipelineError(f"{key.to_user_string()} was never materialised {where}: do that first.")
        return folder

    def previous(self, key: dg.AssetKey, kind: Any) -> Any | None:
        """The value of an asset as it was last made, or None if there is none that can be read."""
        with suppress(Exception):  # it may be of an older version or damaged, and is about to be replaced
            return kind.load(self.current(key))
        return None

    def load_input(self, context: dg.InputContext) -> object:
        """Read the value of an upstream asset as the type that the asset function asks for."""
        kind = context.dagster_type.typing_type
        with for_people(context.asset_key.to_user_string()):
            return kind.load(self.current(context.asset_key))


def values() -> FolderIOManager:
    """Where this environment keeps the values of its assets."""
    shared = store()
    return FolderIOManager(root=str(home() / "data"), store=shared.url if shared else "")
