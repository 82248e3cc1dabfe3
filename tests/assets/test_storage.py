from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets.home import conf_folder, dagster_home, home
from assets.storage import FolderIOManager
from pipeline.errors import PipelineError
from pipeline.home import project
from pipeline.records.records import Records
from pipeline.vocabulary.vocabulary import Vocabulary

KEY = dg.AssetKey(["films", "thing"])


class Broken:
    """A value whose saving fails half way."""

    def save(self, folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise PipelineError("the disk is full: make room")


def written(storage: FolderIOManager, value: object) -> None:
    """Materialise an asset that has this value."""

    @dg.asset(key=KEY)
    def thing() -> Any:
        return value

    dg.materialize([thing], resources={"io_manager": storage})


def seen(folder: Path) -> list[str]:
    """The names in a folder that people see."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_value_comes_back(tmp_path: Path) -> None:
    storage = FolderIOManager(root=str(tmp_path))
    written(storage, Vocabulary.of({"a": 2, "b": 1}))
    written(storage, Vocabulary.of({"a": 3}))
    assert len(Vocabulary.load(storage.folder(KEY))) == 1
    assert seen(tmp_path / "films") == ["thing"]


def test_a_failure_leaves_the_earlier_value_and_nothing_beside_it(tmp_path: Path) -> None:
    storage = FolderIOManager(root=str(tmp_path))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(scratch / "records-00000.parquet")
    written(storage, Records(scratch))
    with pytest.raises(dg.Failure, match="the disk is full"):
        written(storage, Broken())
    assert pl.read_parquet(storage.folder(KEY) / "records-00000.parquet").rows() == [(1,)]
    assert seen(tmp_path / "films") == ["thing"]


def test_an_asset_of_another_project_gets_the_folder(tmp_path: Path) -> None:
    storage, seen_there = FolderIOManager(root=str(tmp_path)), []
    written(storage, Vocabulary.of({"a": 3}))

    @dg.asset(ins={"words": dg.AssetIn(KEY)})
    def taken(words: Path) -> None:
        seen_there.append(Vocabulary.load(words).decode([0]))

    @dg.asset(ins={"words": dg.AssetIn(KEY)})
    def untyped(words) -> None:  # type: ignore[no-untyped-def]
        seen_there.append(words)

    @dg.asset(ins={"words": dg.AssetIn(KEY)})
    def framed(words: pl.DataFrame) -> None:
        seen_there.append(words)

    here = dg.AssetSpec(KEY)
    assert dg.materialize([here.with_io_manager_key("io_manager"), taken], resources={"io_manager": storage}).success
    for asset, said in ((untyped, "is no Any"), (framed, "is no DataFrame")):
        with pytest.raises(dg.Failure, match=f"films/thing: its value {said}. .* `words: pathlib.Path`"):
            dg.materialize([here.with_io_manager_key("io_manager"), asset], resources={"io_manager": storage})
    assert seen_there == [["a"]]


def test_folders_come_from_the_environment_or_stand_beside_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (home(), conf_folder()) == (project() / "var", project() / "conf")
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "h"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINE_CONF", "c")
    assert (home(), conf_folder()) == (tmp_path / "h", tmp_path / "c")
    settings = dagster_home() / "dagster.yaml"
    assert "telemetry:\n  enabled: false" in settings.read_text()
    written = settings.read_text()
    settings.write_text(written.partition("python_logs")[0])  # as an earlier version wrote it
    dagster_home()
    assert settings.read_text() == written
    settings.write_text("# mine\n")
    dagster_home()
    assert settings.read_text() == "# mine\n"
