import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pipeline.config.files import load
from pipeline.proposal.conf_file import proposed
from pipeline.records.ingest import ingest
from pipeline.vocabulary.counted import count


@pytest.fixture
def propose(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The conf file that is proposed for a file, which it is checked to be able to read; also as text, under `text`."""

    def make(name: str, content: str | bytes | pl.DataFrame | None) -> dict[str, Any]:
        path = tmp_path / name
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        elif content is not None:  # otherwise it is there
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        text = proposed("data", name, None, tmp_path, tmp_path / "downloads")
        (tmp_path / "data.yaml").write_text(text)
        conf = load(tmp_path / "data.yaml")
        records = ingest(conf, tmp_path, tmp_path / f"read_{time.monotonic_ns()}")
        assert records.counts.quarantined == 0
        count(records, conf)
        return {**yaml.safe_load(text), "text": text}

    return make
