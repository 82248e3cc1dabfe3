"""The assets of a source with periods: which periods there are, and the raw records, a partition for each.

Dagster knows the periods as dynamic partitions, because neither the first nor the last is known before the source has
been looked at. A run that names no partition reads those that are new or have changed, so that the job of a dataset,
its schedule and its sensor need not know them; a run or a backfill that names some reads these.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets import checks, metadata
from assets.declaration import RECORDS, asset, data_version
from assets.home import home
from assets.storage import for_people, values
from pipeline.config.dataset import Dataset
from pipeline.config.records import Source
from pipeline.errors import number_of
from pipeline.records.columns import roles
from pipeline.records.periods.folders import facts_of_periods
from pipeline.records.periods.reading import read_periods
from pipeline.records.periods.survey import Survey, survey
from pipeline.records.records import Records

_SOURCE = {name: True for name in Source.model_fields if name not in ("path", "sha256")}
"""Keys of `source` that decide the records of a period. Which files there are does not: the content of files does."""


def partitions_of(conf: Dataset) -> str:
    """The name by which Dagster knows the periods of a dataset."""
    return f"{conf.name}_periods"


def period_assets(conf: Dataset, conf_folder: Path) -> list[dg.AssetsDefinition]:
    """Which periods the source has, and the records that can be used, as Parquet, by period."""
    return [_periods_asset(conf, conf_folder), _raw_records_asset(conf, conf_folder)]


def _periods_asset(conf: Dataset, conf_folder: Path) -> dg.AssetsDefinition:
    @asset(
        conf,
        "periods",
        description="The periods of the source with the number of their rows. They are the partitions of raw_records: "
        "make this to see new ones there. A file is read if it is new or has changed.",
        kinds={"polars"},
        settings={"source": _SOURCE},
    )
    def periods(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        made_by = _code_version(context)
        before = values().previous(context.asset_key, Survey)
        with for_people(conf.file):
            found = survey(conf, conf_folder, home() / "downloads", made_by, before)
        _tell(context.instance, partitions_of(conf), list(found.rows))
        return dg.MaterializeResult(
            value=found,
            data_version=dg.DataVersion(made_by),  # a new period makes no other period stale
            metadata=metadata.of_survey(found),
        )

    return periods


def _raw_records_asset(conf: Dataset, conf_folder: Path) -> dg.AssetsDefinition:
    @asset(
        conf,
        "raw_records",
        description="The records of the source that can be used, as they come, as Parquet, by period; beside them, in "
        "quarantine, those that cannot. Without a choice of partitions, those are read that are new or have changed. "
        f"{conf.description}",
        kinds={"polars", "parquet"},
        settings=RECORDS | {"source": _SOURCE},
        upstream=("periods",),
        partitions=dg.DynamicPartitionsDefinition(name=partitions_of(conf)),
    )
    def raw_records(context: dg.AssetExecutionContext, periods: Survey) -> dg.MaterializeResult[Any]:
        asked = list(context.partition_keys) if _names_partitions(context) else None
        before = values().previous(context.asset_key, Records)
        scratch, downloads = values().scratch(context), home() / "downloads"
        with for_people(conf.file):
            read = read_periods(
                conf, conf_folder, scratch, periods, _code_version(context), before, asked, downloads=downloads
            )
        context.log.info(f"{conf.name}: of {number_of(len(periods.rows), 'period')}, {_read_now(read.keys)}")
        made = facts_of_periods(read.records)
        for one in read.keys:
            facts = metadata.of_period(made[one])
            if asked is not None:
                context.add_asset_metadata(facts, partition_key=one)
                continue
            tags = {"dagster/data_version": data_version(made[one]["content"]).value}
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=one, metadata=facts, tags=tags))
        return dg.MaterializeResult(
            value=read.records,
            data_version=data_version({one: about["content"] for one, about in made.items()}),
            metadata={
                "periods": f"{len(made)}, of which {_read_now(read.keys)}",
                **metadata.of_records(read.records, conf.name, roles(conf)),
            },
            check_results=checks.of_records(read.records, conf),
        )

    return raw_records


def _names_partitions(context: dg.AssetExecutionContext) -> bool:
    return bool(context.has_partition_key or context.has_partition_key_range)


def _code_version(context: dg.AssetExecutionContext) -> str:
    """The version of an asset's code and settings."""
    return str(context.assets_def.specs_by_key[context.asset_key].code_version)


def _read_now(keys: Sequence[str]) -> str:
    """How many periods were read now, and some of them; the records of the others are those of earlier runs."""
    if not keys:
        return "none was read now"
    some = ", ".join(keys if len(keys) < 7 else [*keys[:3], "...", *keys[-3:]])
    return f"{len(keys)} {'was' if len(keys) == 1 else 'were'} read now: {some}"


def _tell(instance: dg.DagsterInstance, name: str, keys: Sequence[str]) -> None:
    """Let Dagster know the periods, in the order of time, which is also that of the partitions of a backfill."""
    known = list(instance.get_dynamic_partitions(name))
    n_same = next((i for i, (one, other) in enumerate(zip(known, keys, strict=False)) if one != other), len(known))
    for one in known[min(n_same, len(keys)) :]:
        instance.delete_dynamic_partition(name, one)
    instance.add_dynamic_partitions(name, list(keys[min(n_same, len(keys)) :]))
