"""What Dagster loads: every dataset file of the conf folder as one group of assets."""

from collections.abc import Sequence

import dagster as dg

from assets.automation import jobs, schedules, sensors
from assets.dataset import dataset_assets
from assets.resources import lines, mlflow_from_environment
from assets.storage import conf_folder, values
from pipeline.config.dataset import Dataset
from pipeline.config.files import conf_files, load


def definitions(datasets: Sequence[Dataset]) -> dg.Definitions:
    """The assets, jobs, schedules, sensors and resources of these datasets."""
    return dg.Definitions(
        assets=[asset for conf in datasets for asset in dataset_assets(conf, conf_folder())],
        jobs=jobs(datasets),
        schedules=schedules(datasets),
        sensors=sensors(datasets, conf_folder()),
        resources={"io_manager": values(), "mlflow": mlflow_from_environment()},
        loggers={"lines": lines},
        # the multiprocess default would import torch, Lightning and MLflow anew in every step
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """All datasets of the conf folder."""
    return definitions([load(path) for path in conf_files(conf_folder())])
