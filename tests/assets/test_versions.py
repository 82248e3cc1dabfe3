import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets import versions as module
from assets.storage import LOST, FolderIOManager
from assets.versions import Versions


def writes(text: str) -> Any:
    return lambda folder: (folder / "value.txt").write_text(text)


def read(versions: Versions, *assets: str) -> list[str | None]:
    places = [versions.current(asset) / "value.txt" for asset in assets]
    return [place.read_text() if place.exists() else None for place in places]


def test_what_a_run_makes_becomes_current_together(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "films")
    versions.keep("run1", "a", writes("a1"))
    assert not versions.complete("run1", {"a", "b"})
    assert read(versions, "a", "b") == [None, None]
    versions.keep("run1", "b", writes("b1"))
    assert versions.complete("run1", {"a", "b"})
    assert read(versions, "a", "b") == ["a1", "b1"]
    versions.keep("run2", "b", writes("b2"))
    assert versions.complete("run2", {"b"})
    assert read(versions, "a", "b") == ["a1", "b2"]
    assert len(list((tmp_path / "films" / ".versions").iterdir())) == 1
    assert [versions.has_completed(run) for run in ("run1", "run2", "run3")] == [True, True, False]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.booleans()), max_size=12))
def test_readers_only_ever_see_complete_sets(steps: list[tuple[int, str, bool]]) -> None:
    """Runs make values in any order; some complete, and some die and are cleaned up after."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        versions = Versions(Path(name) / "films")
        current: dict[str, str] = {}
        made: dict[int, dict[str, str]] = {}
        for i, (run, asset, completes) in enumerate(steps):
            versions.keep(f"run{run}", asset, writes(f"{asset}{i}"))
            made.setdefault(run, {})[asset] = f"{asset}{i}"
            if completes:
                assert versions.complete(f"run{run}", {asset})
                current |= made.pop(run)
            else:
                versions.clean(lambda other, run=run: other != f"run{run}")  # type: ignore[misc]
                made = {run: made[run]}
            assert read(versions, *"abc") == [current.get(asset) for asset in "abc"]


@pytest.mark.parametrize("call", ["rename", "symlink_to", "replace", "rmtree", "copytree"])
def test_a_death_at_any_step_leaves_the_earlier_set_or_the_new_one(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = Versions(tmp_path / "films")
    for asset in "ab":
        versions.keep("run1", asset, writes(f"{asset}1"))
    versions.complete("run1", {"a", "b"})
    versions.keep("run2", "a", writes("a2"))

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((module.shutil, call) if call in ("rmtree", "copytree") else (Path, call)), dies)
        with pytest.raises(KeyboardInterrupt):
            versions.complete("run2", {"a"})
    assert read(versions, "a", "b") in (["a1", "b1"], ["a2", "b1"])
    versions.clean(lambda _: True)
    assert read(versions, "a", "b") in (["a1", "b1"], ["a2", "b1"])
    assert len(list((tmp_path / "films" / ".versions").iterdir())) == 1
    assert not list((tmp_path / "films" / ".runs").iterdir())
    versions.keep("run3", "b", writes("b3"))
    assert versions.complete("run3", {"b"})
    assert read(versions, "b") == ["b3"]


def test_what_a_process_left_that_is_gone_is_cleaned(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "films")
    versions.keep("own", "a", writes("a1"))
    versions.keep("others", "a", writes("a2"))
    host = (tmp_path / "films/.runs/own/.process").read_text().split()[0]
    (tmp_path / "films/.runs/others/.process").write_text(f"{host} {os.getpid()} 1")  # a number that was used before
    versions.clean(lambda _: False)
    assert [path.name for path in (tmp_path / "films" / ".runs").iterdir()] == ["own"]


def test_what_a_process_left_is_cleaned_whenever_it_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the midst of reading records, and between the making of the folder and the naming of the process."""
    versions = Versions(tmp_path / "films")
    versions.scratch("reads", "raw_records").mkdir()
    host = (tmp_path / "films/.runs/reads/.process").read_text().split()[0]
    (tmp_path / "films/.runs/reads/.process").write_text(f"{host} {os.getpid()} 1")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    for call in ("write_text", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, call, dies)
            with pytest.raises(KeyboardInterrupt):
                versions.scratch(call, "raw_records")
    assert len(list((tmp_path / "films" / ".runs").iterdir())) == 3
    versions.scratch("lives", "raw_records").mkdir()
    versions.clean(lambda _: False)
    assert [path.name for path in (tmp_path / "films" / ".runs").iterdir()] == ["lives"]


KEEPS = """
import sys
from pathlib import Path
from assets.versions import Versions
Versions(Path(sys.argv[1])).keep("others", "a", lambda folder: (folder / "value.txt").write_text("a1"))
print("kept", flush=True)
input()
"""


def test_what_a_container_makes_with_the_name_of_this_host_stays(tmp_path: Path) -> None:
    container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*container, "true"], capture_output=True).returncode:
        pytest.skip("only root can make a container")
    command = [*container, sys.executable, "-c", KEEPS, str(tmp_path / "films")]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "kept\n"
        versions = Versions(tmp_path / "films")
        versions.clean(lambda _: False)
        assert versions.made("others", "a").is_dir()
        other.communicate("\n")


def test_what_a_step_left_that_is_a_job_of_its_own_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of a step is over before the next step of its run begins."""
    versions = Versions(tmp_path / "films")
    monkeypatch.setenv("DAGSTER_RUN_STEP_KEY", "films__a")
    versions.keep("run", "a", writes("a1"))
    assert (tmp_path / "films/.runs/run/.process").read_text() == ""
    versions.clean(lambda _: False)
    assert versions.made("run", "a").is_dir()


def test_a_value_of_an_earlier_release_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "films" / "a").mkdir(parents=True)
    (tmp_path / "films" / "a" / "value.txt").write_text("old")
    versions = Versions(tmp_path / "films")
    assert read(versions, "a") == ["old"]
    versions.keep("run", "a", writes("new"))
    versions.complete("run", {"a"})
    assert read(versions, "a") == ["new"]


class Text:
    """A value that is a text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def save(self, folder: Path) -> None:
        (folder / "value.txt").write_text(self.text)

    @classmethod
    def load(cls, folder: Path) -> "Text":
        return cls((folder / "value.txt").read_text())


def chain(fails: bool, text: str) -> dg.Definitions:
    """Assets first -> second -> third; the second may fail, but not when its run is repeated."""

    @dg.asset(key_prefix="films")
    def first() -> Any:
        return Text(text)

    @dg.asset(key_prefix="films", ins={"first": dg.AssetIn(key_prefix="films")})
    def second(context: dg.AssetExecutionContext, first: Text) -> Any:
        if fails and context.run.parent_run_id is None:
            raise dg.Failure("as planned")
        return Text(first.text)

    @dg.asset(key_prefix="films", ins={"second": dg.AssetIn(key_prefix="films")})
    def third(second: Text) -> Any:
        return Text(second.text)

    return dg.Definitions(assets=[first, second, third], jobs=[dg.define_asset_job("films")])


def test_a_run_that_fails_changes_nothing_and_goes_on_where_it_failed(tmp_path: Path) -> None:
    storage = FolderIOManager(root=str(tmp_path))
    versions = Versions(tmp_path / "films")

    def run(defs: dg.Definitions, instance: dg.DagsterInstance, **options: Any) -> dg.ExecuteInProcessResult:
        with_storage = dg.Definitions(assets=defs.assets, jobs=defs.jobs, resources={"io_manager": storage})
        job = with_storage.resolve_job_def("films")
        return job.execute_in_process(instance=instance, raise_on_error=False, **options)

    with dg.DagsterInstance.ephemeral() as instance:
        assert run(chain(False, "1"), instance).success
        failed = run(chain(True, "2"), instance)
        assert not failed.success
        assert read(versions, "first", "second", "third") == ["1", "1", "1"]
        assert run(chain(False, "3"), instance, asset_selection=[dg.AssetKey(["films", "first"])]).success
        assert read(versions, "first", "second", "third") == ["3", "1", "1"]


@pytest.mark.parametrize("taken_by", ["second", "third"])
def test_a_run_whose_values_are_taken_away_fails_and_mixes_none_with_older_ones(taken_by: str, tmp_path: Path) -> None:
    """Another process removes them while an asset is made: in the midst of the run, or at its end."""
    storage = FolderIOManager(root=str(tmp_path))

    def run(text: str, *, is_robbed: bool) -> dg.ExecuteInProcessResult:
        def made_of(asset: str, text: str) -> Any:
            if is_robbed and asset == taken_by:
                Versions(tmp_path / "films").clean(lambda _: True)
            return Text(text)

        @dg.asset(key_prefix="films")
        def first() -> Any:
            return made_of("first", text)

        @dg.asset(key_prefix="films", ins={"first": dg.AssetIn(key_prefix="films")})
        def second(first: Text) -> Any:
            return made_of("second", first.text)

        @dg.asset(key_prefix="films", ins={"second": dg.AssetIn(key_prefix="films")})
        def third(second: Text) -> Any:
            return made_of("third", second.text)

        assets = [first, second, third]
        return dg.materialize(assets, resources={"io_manager": storage}, raise_on_error=False)

    assert run("1", is_robbed=False).success
    result = run("2", is_robbed=True)
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description == LOST
    assert read(Versions(tmp_path / "films"), "first", "second", "third") == ["1", "1", "1"]
    assert not storage.has_completed("films", result.run_id)
