"""What the assets use beside their inputs: MLflow, and a logger for the terminal."""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlencode

import dagster as dg

from assets.addresses import Pages
from assets.home import TRACKING, address_of, home, store
from pipeline.config.dataset import Dataset
from pipeline.experiment.client import is_server, prepare
from pipeline.experiment.fits import Fit
from pipeline.experiment.moved_home import ARTIFACTS
from pipeline.experiment.shared_view import KEY
from pipeline.experiment.tracking import Tracker

MLFLOW = "embedding_mlflow"
"""The key under which Dagster finds it: another project's `mlflow` is another thing."""
_TRAINING = "workflowType=machine_learning"
"""Makes MLflow's UI show runs and their charts, where it would show the traces of language models."""


@dataclass(frozen=True)
class MLflow:
    """Where the runs are tracked, and where people look at them.

    It is no resource with a configuration, since Dagster would keep that, and an address may hold a password.
    """

    tracking_uri: str = field(repr=False)
    artifacts: str
    ui: str
    dagster_ui: str

    @property
    def is_local(self) -> bool:
        """Whether the runs are in a database, which needs a server only to be looked at."""
        return not is_server(self.tracking_uri)

    def prepare(self) -> None:
        """Make the database before anything runs: two processes that meet a fresh one would break it."""
        prepare(self.tracking_uri)

    def tracker(self, conf: Dataset, instance: dg.DagsterInstance) -> Tracker:
        """The dataset's experiment, after closing the runs in it that lost their process."""
        tracker = self._experiment(conf)
        _close_orphans(tracker, instance)
        return tracker

    def close_lost_runs(self, conf: Dataset, instance: dg.DagsterInstance) -> list[str]:
        """Close the dataset's runs that lost their process; their ids."""
        return _close_orphans(self._experiment(conf), instance)

    def _experiment(self, conf: Dataset) -> Tracker:
        page = f"{self.dagster_ui}/assets/{conf.name}/comparison"
        description = f"{conf.description}\n\nThe runs side by side, with verdicts: [{conf.name}/comparison]({page})."
        return Tracker(self.tracking_uri, self.artifacts, conf.name, description)

    def tags(self, context: dg.AssetExecutionContext) -> dict[str, str]:
        """What a run keeps of the materialisation that made it, with the way back to it."""
        asset = context.asset_key.to_user_string()
        return {
            "dagster.run_id": context.run.run_id,
            "dagster.asset": asset,
            "mlflow.note.content": f"Made by the Dagster asset [{asset}]({self.dagster_ui}/assets/{asset}) in its "
            f"[run {context.run.run_id[:8]}]({self.dagster_ui}/runs/{context.run.run_id}).",
        }

    def link(self, fit: Fit) -> str:
        """The address of a fit's run in MLflow's UI."""
        return f"{self.ui}/#/experiments/{fit.experiment_id}/runs/{fit.run_id}?{_TRAINING}"

    def artifact_link(self, fit: Fit, name: str) -> str:
        """The address at which MLflow's UI shows a file of a fit's run."""
        return f"{self.ui}/#/experiments/{fit.experiment_id}/runs/{fit.run_id}/artifacts/{name}?{_TRAINING}"

    def model_link(self, name: str, version: str) -> str:
        """The address of a version of a model in MLflow's UI."""
        return f"{self.ui}/#/models/{name}/versions/{version}"

    def compare_link(self, fits: Sequence[Fit]) -> str:
        """The address at which MLflow's UI shows these fits side by side."""
        runs = json.dumps([fit.run_id for fit in fits], separators=(",", ":"))
        experiments = json.dumps([fits[0].experiment_id])
        return f"{self.ui}/#/compare-runs?{urlencode({'runs': runs, 'experiments': experiments})}&{_TRAINING}"

    def runs_link(self, experiment_id: str) -> str:
        """The address at which MLflow's UI lists an experiment's current runs, the best first; see `share_view`."""
        return f"{self.ui}/#/experiments/{experiment_id}/runs?{_TRAINING}&viewStateShareKey={KEY}"

    @property
    def start(self) -> str:
        """The address at which MLflow's UI lists the experiments."""
        return f"{self.ui}/#/experiments?{_TRAINING}"


def _close_orphans(tracker: Tracker, instance: dg.DagsterInstance) -> list[str]:
    return tracker.close_orphans(lambda run_id: bool((run := instance.get_run_by_id(run_id)) and run.is_finished))


def mlflow_from_environment(pages: Pages | None = None) -> MLflow:
    """MLFLOW_TRACKING_URI if it is set, else a database in the home; a run's files go to the store if there is one.

    Args:
        pages: where people look; by default where servers run, or would.
    """
    shared, pages = store(), pages or Pages.served()
    uri = address_of(TRACKING) or f"sqlite:///{home()}/mlflow.db"
    ui = uri if is_server(uri) else pages.mlflow
    artifacts = f"{shared.url.rstrip('/')}/artifacts" if shared else (home() / ARTIFACTS).as_uri()
    return _mlflow(uri, artifacts, ui, pages.dagster)


@cache
def _mlflow(tracking_uri: str, artifacts: str, ui: str, dagster_ui: str) -> MLflow:
    """The same object each time, as Dagster asks for."""
    return MLflow(tracking_uri, artifacts, ui, dagster_ui)


@dg.logger(None, description="What the assets say, a line each; the engine's own events stay in Dagster's log.")
def lines(_: dg.InitLoggerContext) -> logging.Logger:
    """A logger for the terminal."""
    logger = logging.Logger("lines", logging.INFO)
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_is_a_line)
    handler.setFormatter(_Lines())
    logger.addHandler(handler)
    return logger


def _is_a_line(record: logging.LogRecord) -> bool:
    """What an asset says while it works: no events of the engine; tables and errors come together at the end."""
    is_event = bool(record.dagster_meta.get("dagster_event"))  # type: ignore[attr-defined]
    return not is_event and record.levelno < logging.ERROR and "\n" not in record.getMessage()


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return str(record.dagster_meta["orig_message"])  # type: ignore[attr-defined]
