"""MLflow: one top-level run for each fit, which ends as the fit did: FINISHED, FAILED or KILLED."""

import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.experiment import moved_home
from pipeline.experiment.client import add_artifacts, alone, client_of, fetched, is_server
from pipeline.experiment.liveness import is_gone, this_process
from pipeline.experiment.run import FinishedRun, Run
from pipeline.inference.saved_fit import EMBEDDING_FILE
from pipeline.secrets import masked

SYSTEM_SECONDS = 60
"""Seconds between two looks at the load of the machine: of shorter fits it would only stand before their metrics."""
CURRENT = "current"
"""Tag that tells which of several runs with the same name counts: yes or no."""
_NOTE = "mlflow.note.content"  # MLflow's page shows it as the description
_ANSWER = "answer"


def _above(tags: Mapping[str, str]) -> str:
    """What stands above the description of an experiment: what its runs have shown, if that was told.

    MLflow's page shows the first line only, until somebody opens it: the first sentence stands there alone.
    """
    return tags[_ANSWER].replace(". ", ".\n\n", 1) + "\n\n" if _ANSWER in tags else ""


def cure(uri: str, experiment_id: str) -> str:
    """What to do about an experiment that was deleted, with commands that work in any folder."""
    shown = masked(uri)
    mlflow = f"MLFLOW_TRACKING_URI={shlex.quote(shown)} {shlex.quote(sys.executable)} -m mlflow"
    said = f"Bring it back with `{mlflow} experiments restore -x {experiment_id}`"
    if not is_server(uri):  # only who runs a server has the database behind it
        said += f", or remove it for good with `{mlflow} gc --experiment-ids {experiment_id}`"
    return f"{said}, with your password for ***." if shown != uri else f"{said}."


class Tracker:
    """The MLflow experiment of one dataset."""

    def __init__(self, uri: str, artifacts: Path | str, experiment: str, description: str = "") -> None:
        """Open the experiment; make the database and the experiment if they are missing.

        Args:
            uri: where MLflow keeps runs: `sqlite:///` and an absolute path, or the address of a database or a server.
            artifacts: folder or URL for the files of the runs; a server keeps them itself.
            experiment: the name of the experiment, which is that of the dataset.
            description: shown above the experiment's runs.

        Raises:
            PipelineError: MLflow is not reachable, or the experiment was deleted.
        """
        self.uri = uri
        self._artifacts: dict[str, str] = {}  # by the id of a run, where they are
        with alone(uri):
            self.client = client_of(uri)
            known = self.client.get_experiment_by_name(experiment)
            if known is None:
                root = artifacts.as_uri() if isinstance(artifacts, Path) else artifacts
                location = None if is_server(uri) else f"{root}/{experiment}"
                moved_home.make_folder(location)
                # the kind makes MLflow's page open on the runs, not on the traces of a language model
                tags = {_NOTE: description, "mlflow.experimentKind": "custom_model_development"}
                self.experiment_id = self.client.create_experiment(experiment, location, tags)
        if known is not None:
            self.experiment_id = known.experiment_id
            if known.lifecycle_stage == "deleted":
                raise PipelineError(
                    f"the MLflow experiment {experiment!r} was deleted. {cure(uri, self.experiment_id)}"
                )
            if known.tags.get(_NOTE) != (note := _above(known.tags) + description):
                self.client.set_experiment_tag(self.experiment_id, _NOTE, note)

    def tell(self, answer: str) -> None:
        """Let the description of the experiment begin with what its runs have shown."""
        tags = self.client.get_experiment(self.experiment_id).tags
        description = tags.get(_NOTE, "").removeprefix(_above(tags))
        self.client.set_experiment_tag(self.experiment_id, _ANSWER, answer)
        self.client.set_experiment_tag(self.experiment_id, _NOTE, _above({_ANSWER: answer}) + description)

    def of_id(self, run_id: str) -> FinishedRun | None:
        """A run by its id; None if it was removed."""
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return self._finished(run) if run.info.lifecycle_stage == "active" else None

    def finished(self, key: str, tag: str = "fit_key") -> FinishedRun | None:
        """The latest run with this key that ended FINISHED and still has its embedding, if there is one.

        Args:
            key: the value of a tag.
            tag: its name.
        """
        runs = self.client.search_runs(
            [self.experiment_id],
            f"tags.{tag} = '{key}' and attributes.status = 'FINISHED'",
            order_by=["attributes.start_time DESC"],
        )
        for run in runs:
            if self.has_file(run.info.run_id, EMBEDDING_FILE):
                return self._finished(run)
        return None

    def _finished(self, run: Any) -> FinishedRun:
        metrics = {k: v for k, v in run.data.metrics.items() if not k.startswith("system/")}
        return FinishedRun(run.info.run_id, self.experiment_id, metrics, run.data.params, run.data.tags)

    def current(self) -> dict[str, FinishedRun]:
        """The runs that count, by name: of each fit the latest that ended FINISHED."""
        runs = self.client.search_runs([self.experiment_id], f"tags.{CURRENT} = 'yes'")
        return {run.info.run_name: self._finished(run) for run in runs}

    def history(self, run_id: str, metric: str) -> list[float]:
        """Every value of a run's metric, by epoch."""
        return [point.value for point in sorted(self.client.get_metric_history(run_id, metric), key=lambda p: p.step)]

    def has_file(self, run_id: str, name: str) -> bool:
        """Whether a run keeps a file of this name."""
        return any(file.path == name for file in self.client.list_artifacts(run_id))

    def folder(self, run_id: str) -> Path:
        """A local folder with the artifacts of a run, fetched if they are elsewhere."""
        return self.file(run_id, "")

    def file(self, run_id: str, name: str) -> Path:
        """A local file with one artifact of a run, fetched if it is elsewhere."""
        if run_id not in self._artifacts:
            self._artifacts[run_id] = self.client.get_run(run_id).info.artifact_uri
        return fetched(self.client, self._artifacts[run_id], name)

    def tag(self, run_id: str, name: str) -> str | None:
        """A tag of a run, or None."""
        value: str | None = self.client.get_run(run_id).data.tags.get(name)
        return value

    def param(self, run_id: str, name: str) -> str:
        """A setting of a run as MLflow has it.

        Raises:
            KeyError: the run has no such setting.
        """
        return self.params(run_id)[name]

    def params(self, run_id: str) -> dict[str, str]:
        """The settings of a run as MLflow has them."""
        return dict(self.client.get_run(run_id).data.params)

    def keep(self, run_id: str, folder: Path, tags: Mapping[str, str]) -> None:
        """Add the files of a folder to a finished run, then set the tags that record it."""
        add_artifacts(self.client, run_id, folder)
        for name, value in tags.items():
            self.client.set_tag(run_id, name, value)

    def mark_current(self, run_id: str, name: str) -> None:
        """Tag a run as the one that counts among those of its name: the others were repeated, or had other settings."""
        with alone(self.uri, "current"):  # two processes at once would leave two runs that count
            runs = self.client.search_runs(
                [self.experiment_id], f"attributes.run_name = '{name}' and tags.{CURRENT} = 'yes'"
            )
            for run in runs:
                self.client.set_tag(run.info.run_id, CURRENT, "no")
            self.client.set_tag(run_id, CURRENT, "yes")

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], params: Mapping[str, str]) -> Iterator[Run]:
        """Open the run of one fit. It ends FINISHED, or FAILED on an exception, or KILLED on an interruption."""
        created = self.client.create_run(
            self.experiment_id,
            run_name=name,
            tags={**tags, "process": this_process(), "mlflow.source.name": "pipeline"},
        )
        run = Run(self.client, created.info.run_id, self.experiment_id)
        status = "KILLED"  # an interruption is a BaseException of any kind
        try:
            run.log_params(params)
            with self._system_metrics(run.run_id):
                yield run
            run.flush()
            status = "FINISHED"
        except Exception as error:
            status = "FAILED"
            self.client.set_tag(run.run_id, "error", f"{type(error).__name__}: {error}"[:5000])
            raise
        finally:
            if status != "FINISHED":  # metrics until then still help to tell why
                with suppress(Exception):
                    run.flush()
            self.client.set_terminated(run.run_id, status)

    @contextmanager
    def _system_metrics(self, run_id: str) -> Iterator[None]:
        """Run MLflow's own monitor of processor, memory, disk and network, for fits longer than its interval."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics.system_metrics_monitor").setLevel(logging.ERROR)
        monitor: Any = SystemMetricsMonitor(run_id, SYSTEM_SECONDS, tracking_uri=self.uri)
        monitor.start()
        try:
            yield
        finally:
            monitor.finish()

    def close_orphans(self, is_over: Callable[[str], bool]) -> list[str]:
        """Close, as KILLED, the open runs whose process is gone or whose Dagster run is over.

        Args:
            is_over: tells whether a Dagster run has ended; False for a Dagster run that is not known here.

        Returns:
            The ids of the closed runs.
        """
        closed = []
        for run in self.client.search_runs([self.experiment_id], "attributes.status = 'RUNNING'"):
            process, dagster_run = (run.data.tags.get(tag, "") for tag in ("process", "dagster.run_id"))
            if process != this_process() and (is_gone(process) or (dagster_run and is_over(dagster_run))):
                self.client.set_tag(run.info.run_id, "error", "its process ended without closing the run")
                self.client.set_terminated(run.info.run_id, "KILLED")
                closed.append(run.info.run_id)
        return closed
