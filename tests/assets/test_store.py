"""Two machines, that is, two homes, share a store: one goes on with what the other has made."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.definitions import definitions
from assets.home import store
from assets.storage import values
from assets.store import Store
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.vocabulary.vocabulary import Vocabulary

KEY = dg.AssetKey(["films", "thing"])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Act as a machine, with its own home and the shared store."""
    monkeypatch.setenv("PIPELINE_STORE", (tmp_path / "shared").as_uri())
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    return lambda name: monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / name))


def made(value: object) -> None:
    """Materialise an asset that has this value."""

    @dg.asset(key=KEY)
    def thing() -> Any:
        return value

    dg.materialize([thing], resources={"io_manager": values()})


def test_what_one_machine_writes_another_reads(machine: Callable[[str], None], tmp_path: Path) -> None:
    machine("one")
    made(Vocabulary.of({"a": 2, "b": 1}))
    machine("other")
    assert len(Vocabulary.load(values().current(KEY))) == 2
    made(Vocabulary.of({"a": 3}))
    machine("one")
    assert len(Vocabulary.load(values().current(KEY))) == 1
    kept = [path.name for path in (tmp_path / "shared" / "films" / "thing").iterdir()]
    assert len(kept) == 2  # the version that counts, and the file that names it
    with pytest.raises(PipelineError, match="was never materialised in file://"):
        values().current(dg.AssetKey(["films", "other"]))


def test_a_write_that_fails_leaves_the_earlier_value(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("one")
    made(Vocabulary.of({"a": 2, "b": 1}))
    files, _ = store()._root  # type: ignore[union-attr]

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(type(files), "pipe_file", full)
        with pytest.raises(dg.Failure, match="cannot be written: no space left"):
            made(Vocabulary.of({"a": 3}))
    for name in ("one", "other"):
        machine(name)
        assert len(Vocabulary.load(values().current(KEY))) == 2


def test_what_a_killed_write_has_left_is_removed_when_nobody_can_be_writing_it(
    machine: Callable[[str], None], tmp_path: Path
) -> None:
    machine("one")
    made(Vocabulary.of({"a": 2}))
    versions = tmp_path / "shared" / "films" / "thing"
    now = time.time()
    for begun in (now - 3600, now - 48 * 3600):
        (versions / f"{begun:.0f}-killed").mkdir()
        (versions / f"{begun:.0f}-killed" / "half").write_text("half")
    made(Vocabulary.of({"a": 3}))
    assert [path.name for path in versions.glob("*-killed")] == [f"{now - 3600:.0f}-killed"]
    assert len(list(versions.iterdir())) == 3


def test_an_address_that_is_none_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_STORE", "bucket/folder")
    with pytest.raises(PipelineError, match="is no URL"):
        store()
    with pytest.raises(PipelineError, match="PIPELINE_STORE=nowhere://x cannot be used"):
        Store("nowhere://x").version("a")


def test_one_machine_encodes_and_another_learns(
    machine: Callable[[str], None], movies: Dataset, tmp_path: Path
) -> None:
    steps = (["raw_records", "vocabulary", "sparse_examples"], ["embedding"])
    for name, assets in zip(("encoder", "learner"), steps, strict=True):
        machine(name)
        with dg.DagsterInstance.ephemeral() as instance:
            job = definitions([movies]).resolve_job_def(movies.name)
            keys = [dg.AssetKey([movies.name, asset]) for asset in assets]
            assert job.execute_in_process(instance=instance, asset_selection=keys).success
    learned = (tmp_path / "shared" / "artifacts").rglob("embedding.parquet")
    assert len(list(learned)) == 1
    assert not list((tmp_path / "learner").rglob("embedding.parquet"))
