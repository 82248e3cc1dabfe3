"""The folder of the records by period: a folder for each period, such as `period=2024-03`, and what is known of all.

Files are never written twice: records of an unchanged period have links to the same ones.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.records.cleaning.counts import Counts
from pipeline.records.cleaning.quarantine import FILE, Quarantine
from pipeline.records.records import ABOUT, Records


def period_folder(folder: Path, one: str) -> Path:
    """The folder of a period among the records of all."""
    return folder / f"period={one}"


def facts_of_periods(records: Records) -> dict[str, Any]:
    """What is known of each period, by its key; of records that are not divided, nothing."""
    return dict(_about(records.folder).get("periods", {}))


def is_by_period(folder: Path) -> bool:
    """Whether a folder holds records by period."""
    return "periods" in _about(folder)


def join(folder: Path, current: Path) -> None:
    """Take over the periods that other runs have made meanwhile, except those that were read here.

    Args:
        folder: with the records by period, as `read_periods` made them.
        current: the records that everybody reads now.
    """
    own, other = _about(folder), _about(current)
    made_by = {facts["made_by"] for facts in own["periods"].values()}
    newer = {
        one: facts
        for one, facts in other.get("periods", {}).items()
        if one not in {*own["read"], *own["gone"]} and facts["made_by"] in made_by and own["periods"].get(one) != facts
    }
    for one in newer:
        shutil.rmtree(period_folder(folder, one), ignore_errors=True)
        link(period_folder(current, one), period_folder(folder, one))
    if newer:
        write_about(folder, own | {"periods": own["periods"] | newer})


def write_about(folder: Path, own: dict[str, Any]) -> None:
    """Write what is known of all periods, from what is known of each.

    Args:
        folder: of the records.
        own: what is known of each period, in `periods`, and of the run that read some of them.
    """
    periods = dict(sorted(own["periods"].items()))
    version = " ".join(f"{one} {facts['version']}" for one, facts in periods.items())
    bad = [period_folder(folder, one) / FILE for one, facts in periods.items() if facts["counts"]["quarantined"]]
    if bad:
        pl.scan_parquet(bad, hive_partitioning=False, glob=False).sink_parquet(folder / FILE)
    else:
        with Quarantine(folder):
            pass
    checksums: dict[str, str] = {}
    written: dict[str, dict[str, str]] = {"decimals": {}, "units": {}}
    for facts in periods.values():
        checksums |= facts["checksums"]
        for what, by_column in written.items():
            by_column |= facts["written"][what]
    about = own | {
        "periods": periods,
        "version": hashlib.sha256(version.encode()).hexdigest()[:32],
        "counts": {fate: sum(facts["counts"][fate] for facts in periods.values()) for fate in asdict(Counts())},
        "checksums": checksums,
        "written": written,
    }
    (folder / ABOUT).write_text(json.dumps(about))


def _about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    return dict(json.loads(path.read_text())) if path.exists() else {}


def link(place: Path, to: Path) -> None:
    """Make a folder with the same files as another one, without a copy of them."""
    shutil.copytree(place, to, copy_function=os.link)
