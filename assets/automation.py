"""What runs together, and when: for each dataset a job, and a schedule and a sensor that are off until switched on."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import build_asset_job, get_asset_graph_for_job

from assets.executor import executor
from assets.resources import MLflow
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.source import paths

ALL = "all_datasets"
DAILY = "0 6 * * *"
SECONDS_BETWEEN_LOOKS = 30
SETTLED_SECONDS = 5.0
"""A file that changed less than this long ago may still be being written."""


def job(conf: Dataset) -> Any:
    """The job of a dataset, named as the dataset."""
    return dg.define_asset_job(
        conf.name,
        dg.AssetSelection.groups(conf.name),
        description=f"Every asset of {conf.name}: {conf.description}",
        executor_def=executor,
    )


def job_of_all(datasets: Sequence[Dataset], merged: dg.Definitions) -> Any:
    """The job `all_datasets`.

    Args:
        datasets: the settings of each.
        merged: the definitions of all of them.
    """
    every, description = dg.AssetSelection.all(), "Every asset of every dataset."
    if sum(conf.source.period is not None for conf in datasets) < 2:
        return dg.define_asset_job(ALL, every, description=description)
    # `define_asset_job` refuses assets with different partitions, which a run that names no partition may have
    graph = get_asset_graph_for_job(merged.resolve_asset_graph(), every, allow_different_partitions_defs=True)
    return build_asset_job(
        ALL,
        graph,
        allow_different_partitions_defs=True,
        executor_def=executor,
        description=description,
    )


def schedule(conf: Dataset) -> dg.ScheduleDefinition:
    """The schedule of a dataset: every day, once it is switched on."""
    return dg.ScheduleDefinition(
        name=f"{conf.name}_daily",
        job_name=conf.name,
        cron_schedule=DAILY,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Makes every asset of {conf.name} each day at six (UTC). A fit that is unchanged is reused.",
    )


def sensors(conf: Dataset, conf_folder: Path) -> list[dg.SensorDefinition]:
    """The sensors of a dataset: one that watches its local source files, and one that closes its lost runs."""
    is_watched = any("://" not in path for path in conf.source.path or ())
    return [*([_source_changed(conf, conf_folder)] if is_watched else []), _lost_runs(conf)]


def _source_changed(conf: Dataset, conf_folder: Path) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{conf.name}_source_changed",
        job_name=conf.name,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Makes every asset of {conf.name} when a source file is new or has changed.",
    )
    def source_changed(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            state = paths.files_state(conf.source, conf_folder)
        except (PipelineError, OSError) as error:  # a file may be being replaced: look again
            return dg.SkipReason(str(error))
        if not state:
            return dg.SkipReason("no source file is there yet")
        if time.time() - max(changed for _, changed in state.values()) / 1e9 < SETTLED_SECONDS:
            return dg.SkipReason("a source file has just changed: it may still be being written")
        now = hashlib.sha256(json.dumps(sorted(state.items())).encode()).hexdigest()[:16]
        before, _, changes = (context.cursor or "").partition(" ")
        if now == before:
            return dg.SkipReason("no source file has changed")
        # Dagster starts one run for a key, ever, and files that are restored have the state of an earlier day
        cursor = f"{now} {int(changes or 0) + 1}"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=cursor)], cursor=cursor)

    return source_changed


def _lost_runs(conf: Dataset) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{conf.name}_close_lost_runs",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Closes the MLflow runs of {conf.name} that lost their process: killed, or out of memory. Each "
        "new fit does so too.",
    )
    def close_lost_runs(
        context: dg.SensorEvaluationContext, embedding_mlflow: dg.ResourceParam[MLflow]
    ) -> dg.SkipReason:
        closed = embedding_mlflow.close_lost_runs(conf, context.instance)
        return dg.SkipReason(f"closed {len(closed)} lost runs: {', '.join(closed)}" if closed else "no run is lost")

    return close_lost_runs
