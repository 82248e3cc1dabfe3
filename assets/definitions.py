"""What Dagster loads: every dataset file of the conf folder as one group of assets."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from assets import automation
from assets.dataset import dataset_assets
from assets.executor import executor
from assets.home import conf_folder
from assets.resources import MLFLOW, lines, mlflow_from_environment
from assets.storage import VALUES, values
from pipeline.config.dataset import Dataset
from pipeline.config.files import conf_files, load


def dataset_definitions(conf: Dataset, folder: Path) -> dg.Definitions:
    """The assets, job, schedule, sensors and resources of one dataset, which can be merged with any others.

    Args:
        conf: the dataset.
        folder: the folder of its file, from which relative paths in it start.
    """
    return dg.Definitions(
        assets=dataset_assets(conf, folder),
        jobs=[automation.job(conf)],
        schedules=[automation.schedule(conf)],
        sensors=automation.sensors(conf, folder),
        resources={VALUES: values(), MLFLOW: mlflow_from_environment()},
    )


def definitions(datasets: Sequence[Dataset]) -> dg.Definitions:
    """The definitions of these datasets, and a job for all of them."""
    together = dg.Definitions(loggers={"lines": lines}, executor=executor)
    merged = dg.Definitions.merge(*(dataset_definitions(conf, conf_folder()) for conf in datasets), together)
    return dg.Definitions.merge(merged, dg.Definitions(jobs=[automation.job_of_all(datasets, merged)]))


@dg.definitions
def defs() -> dg.Definitions:
    """All datasets of the conf folder."""
    return definitions([load(path) for path in conf_files(conf_folder())])
