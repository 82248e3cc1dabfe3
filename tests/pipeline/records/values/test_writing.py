"""How a source writes its numbers, as what stands beside its records tells it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.files import load
from pipeline.records.ingest import ingest
from pipeline.records.records import ABOUT, Records


@pytest.mark.parametrize(
    ("prices", "decimals", "units"),
    [(["1.145,00 €", "2,5"], {"price": ","}, {"price": "€"}), (["5 kg", "7 kg", "8"], {"price": "."}, {"price": "kg"}),
     (["5", "7"], {"price": "."}, {}), (["5", "5 kg", "7"], {"price": "."}, {})],
)  # fmt: skip
def test_how_numbers_are_written_stands_beside_the_records(
    prices: list[str],
    decimals: dict[str, str],
    units: dict[str, str],
    minimal: dict[str, Any],
    write_conf: Callable[..., Path],
    tmp_path: Path,
) -> None:
    source = {"path": "records.csv", "max_bad_share": 0.5}
    conf = load(path := write_conf("films", {**minimal, "example": "movie", "weight": "price", "source": source}))
    (path.parent / "records.csv").write_text("movie,price\n" + "".join(f'm,"{price}"\n' for price in prices))
    assert ingest(conf, path.parent, tmp_path / "read").written == {"decimals": decimals, "units": units}


def test_records_of_an_earlier_version_know_how_numbers_are_written_as_people_were_told(
    minimal: dict[str, Any], write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    conf = load(path := write_conf("films", {**minimal, "example": "movie", "weight": "mass"}))
    (path.parent / "records.csv").write_text("movie;mass\nm;0,5 kg\n")
    records = ingest(conf, path.parent, tmp_path / "read")
    about = json.loads((tmp_path / "read" / ABOUT).read_text())
    del about["written"]
    (tmp_path / "read" / ABOUT).write_text(json.dumps(about))
    assert (
        Records.load(tmp_path / "read").written
        == records.written
        == {"decimals": {"mass": ","}, "units": {"mass": "kg"}}
    )
