"""How an asset's value is saved and loaded: atomically, or not at all."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.faults import in_words
from assets.home import home, store
from assets.store import Store
from assets.versions import Versions
from pipeline.errors import PipelineError, first_line
from pipeline.records.periods.folders import is_by_period, join
from pipeline.records.records import Records
from pipeline.secrets import masked

VALUES = "embedding_values"
"""The key under which Dagster finds what keeps the values: another project's `io_manager` is another thing."""
LOST = "what this run has made was removed by another process, and the values before it stay. Run it again."
"""What is said of a run without a failure whose values could not become current."""


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
        sentence = f"{where}: the raw records cannot be read as it says: {masked(first_line(error))}."
        raise dg.Failure(description=sentence, allow_retries=False) from None
    except Exception as error:
        words = in_words(error)
        if words is not None:
            raise dg.Failure(description=f"{where}: {words}", allow_retries=False) from None
        said = masked(str(error))
        if said != str(error):  # a defect of the pipeline, whose message may be kept like any other
            raise RuntimeError(f"{type(error).__name__}: {said}") from None
        raise


class FolderIOManager(dg.IOManager):
    """Keeps the value of each asset in a folder of its own: `data/<dataset>/<asset>/` in the home.

    A value has `save(folder)` and a class method `load(folder)`. What a run makes becomes current as one set, once all
    that the run was asked for is made: a run that fails changes nothing. If there is a store, the current values are
    there, and the folders are copies.
    """

    def __init__(self, root: str, store: str = "") -> None:
        """Keep values below a folder, and in a store if there is one."""
        self.root, self.store = root, Store(store) if store else None

    def folder(self, key: dg.AssetKey) -> Path:
        """Where people find the value of an asset."""
        return self._versions(key).current(key.path[-1])

    def _versions(self, key: dg.AssetKey) -> Versions:
        return Versions(Path(self.root).joinpath(*key.path[:-1]))

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Keep the value for its run; with the last value of the run, the values of the run become current."""
        step = context.step_context
        versions, run = self._versions(context.asset_key), _root(step.dagster_run)
        name = context.asset_key.path[-1]
        versions.clean(lambda other: other != run and _is_over(other, step.instance))
        planned = _planned(step, context.asset_key)
        with for_people(context.asset_key.to_user_string()):
            made = versions.keep(run, name, obj.save)  # type: ignore[attr-defined]
            size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
            is_complete = versions.complete(run, planned, self._finish(context.asset_key)) or versions.has_completed(
                run
            )
            if not is_complete and planned <= {name, *_materialised(step, context.asset_key)}:
                raise PipelineError(LOST)
        folder = versions.current(name).relative_to(Path(self.root).parent)  # the home may be moved
        context.add_output_metadata({"in the home": f"{folder}: {_size(size)}"})

    def _finish(self, key: dg.AssetKey) -> Callable[[Mapping[str, Path]], None]:
        """What joins the values of a set with what other runs have made meanwhile, and brings them into the store."""
        prefix = key.path[:-1]

        def finish(made: Mapping[str, Path]) -> None:
            for name, folder in made.items():
                current = self.previous(dg.AssetKey([*prefix, name]), Records) if is_by_period(folder) else None
                if current is not None:
                    join(folder, current.folder)
            if self.store is not None:
                self.store.put({"/".join([*prefix, name]): folder for name, folder in made.items()})

        return finish

    def has_completed(self, dataset: str, run: str) -> bool:
        """Whether all that a run has made of a dataset became current."""
        return Versions(Path(self.root) / dataset).has_completed(run)

    def scratch(self, context: dg.AssetExecutionContext) -> Path:
        """A folder, not made yet, in which an asset's value that is too large for memory can grow."""
        return self._versions(context.asset_key).scratch(_root(context.run), context.asset_key.path[-1])

    def current(self, key: dg.AssetKey) -> Path:
        """The folder of an asset with its current value, fetched from the store if another machine made it.

        Raises:
            PipelineError: it was never materialised, or the store cannot be read.
        """
        folder = self.folder(key)
        if self.store is not None:
            current = self.store.get("/".join(key.path), folder, folder.parent / ".fetched" / key.path[-1])
        else:
            current = folder if folder.exists() else None
        if current is None:
            where = f"in {self.store.url}" if self.store else "in this home"
            raise PipelineError(f"{key.to_user_string()} was never materialised {where}: do that first.")
        return current.resolve()

    def previous(self, key: dg.AssetKey, kind: Any) -> Any | None:
        """The value of an asset as it was last made, or None if there is none that can be read."""
        with suppress(Exception):  # it may be of an older version or damaged, and is about to be replaced
            return kind.load(self.current(key))
        return None

    def load_input(self, context: dg.InputContext) -> object:
        """Read the value of an upstream asset, of this run or the current one, as the type that is asked for.

        A `Path` is its folder: an asset of another project knows no type of this one.
        """
        kind, key, step = context.dagster_type.typing_type, context.asset_key, context.step_context
        versions, run = self._versions(key), _root(step.dagster_run)
        made = versions.made(run, key.path[-1])
        with for_people(key.to_user_string()):
            if not made.exists() and key.path[-1] in _planned(step, key) and not versions.has_completed(run):
                raise PipelineError(LOST)
            if kind is not Path and not hasattr(kind, "load"):
                raise PipelineError(
                    f"{key.to_user_string()}: its value is no {getattr(kind, '__name__', kind)}. An asset that takes "
                    f"it as `{context.name}: pathlib.Path` gets the folder with its files."
                )
            folder = made if made.exists() else self.current(key)
            return folder if kind is Path else kind.load(folder)


def _size(n_bytes: int) -> str:
    """A size in words, such as 1.2 MB."""
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 100_000 else f"{n_bytes / 1e3:,.1f} kB"


def _root(run: dg.DagsterRun) -> str:
    """The run whose values a run goes on with: itself, or the first of the runs that it repeats in part."""
    return run.root_run_id or run.run_id


def _planned(step: Any, key: dg.AssetKey) -> set[str]:
    """The names of the assets of a dataset that a run makes."""
    steps = step.dagster_run.step_keys_to_execute
    keys = {one for one in step.job_def.asset_layer.selected_asset_keys if one.path[:-1] == key.path[:-1]}
    return {one.path[-1] for one in keys if not steps or "__".join(one.path) in steps}


def _materialised(step: Any, key: dg.AssetKey) -> set[str]:
    """The names of the assets of a dataset that a run has made."""
    records = step.instance.get_records_for_run(step.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    keys = [record.asset_key for record in records]
    return {one.path[-1] for one in keys if one is not None and one.path[:-1] == key.path[:-1]}


def _is_over(run_id: str, instance: dg.DagsterInstance) -> bool:
    """Whether a run makes nothing more."""
    run = instance.get_run_by_id(run_id)
    return run is None or run.is_finished


def values() -> FolderIOManager:
    """Where this environment keeps the values of its assets; the same object each time, as Dagster asks for."""
    shared = store()
    return _values(str(home() / "data"), shared.url if shared else "")


@cache
def _values(root: str, store: str) -> FolderIOManager:
    return FolderIOManager(root=root, store=store)
