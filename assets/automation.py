"""What runs together: a job for each dataset, and one for all."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from pipeline.config import Dataset

ALL = "all_datasets"


def jobs(datasets: Sequence[Dataset]) -> list[Any]:
    """A job for each dataset, named as the dataset, and `all_datasets`."""
    each = [
        dg.define_asset_job(
            conf.name,
            dg.AssetSelection.groups(conf.name),
            description=f"Every asset of {conf.name}: {conf.description}",
        )
        for conf in datasets
    ]
    return [*each, dg.define_asset_job(ALL, dg.AssetSelection.all(), description="Every asset of every dataset.")]
