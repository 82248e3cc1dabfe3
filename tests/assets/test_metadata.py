from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assets.metadata import of_records
from pipeline.config.files import load
from pipeline.records.columns import roles
from pipeline.records.ingest import ingest


@pytest.mark.parametrize("path", ["../sales.csv", "../*.csv"])
def test_the_page_of_records_names_their_file_without_a_way_back(
    write_conf: Callable[..., Path], minimal: dict[str, Any], tmp_path: Path, path: str
) -> None:
    (tmp_path / "sales.csv").write_text("user,movie\n1,Alien\n2,Heat\n")
    conf = write_conf("some", {**minimal, "source": {"path": path}})
    records = ingest(load(conf), conf.parent, tmp_path / "read")
    source = of_records(records, "some", roles(load(conf)))["source"].value
    assert source.splitlines()[2].startswith(f"| {tmp_path}/sales.csv | ")
