import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon import get_default_daemon_logger
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from assets import metadata, run_command
from assets.automation import ALL
from assets.component import embedding_assets
from assets.definitions import definitions
from assets.storage import values
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.records.records import Records
from tests.conftest import MOVIES, spoil, wait_until

pytestmark = pytest.mark.slow(60)

FIRST = ["periods", "raw_records", "vocabulary", "sparse_examples"]
"""The assets whose values are looked at here."""
MONTHS = ["2024-01", "2024-02", "2024-03"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_database: Callable[[Path], str]) -> Path:
    """A conf folder with three months of what people watch, and a home in which nothing is materialised yet."""
    fresh_database(tmp_path / "home")
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    (tmp_path / "conf").mkdir()
    return tmp_path / "conf"


@pytest.fixture
def conf(folder: Path, two_genres: pl.DataFrame) -> Dataset:
    for i in range(3):
        add(folder, i + 1, two_genres[480 * i : 480 * (i + 1)])
    return write(folder, "watched")


def write(folder: Path, name: str, **source: Any) -> Dataset:
    period = {"period": {"column": "day", "every": "month"}}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**MOVIES, "source": {"path": "watched-*.csv", **period, **source}}))
    return load(path)


def add(folder: Path, month: int, frame: pl.DataFrame) -> Path:
    path = folder / f"watched-{month}.csv"
    days = pl.format(
        "2024-{}-{}", pl.lit(f"{month:02d}"), (1 + pl.int_range(pl.len()) % 28).cast(pl.String).str.zfill(2)
    )
    frame.with_columns(day=days).write_csv(path)
    return path


def make(conf: Dataset, instance: dg.DagsterInstance, *assets: str, **options: Any) -> dg.ExecuteInProcessResult:
    job = definitions([conf]).resolve_job_def(conf.name)
    selection = [dg.AssetKey([conf.name, asset]) for asset in assets or FIRST]
    return job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=selection, **options)


def made_of(result: dg.ExecuteInProcessResult, conf: Dataset, asset: str = "raw_records") -> list[str | None]:
    """The partitions of an asset that a run made; None for the asset as a whole."""
    return [event.partition for event in result.asset_materializations_for_node(f"{conf.name}__{asset}")]


def fingerprint(conf: Dataset) -> str:
    return SparseExamples.load(values().current(dg.AssetKey([conf.name, "sparse_examples"]))).fingerprint


def records(conf: Dataset) -> Records:
    return Records.load(values().current(dg.AssetKey([conf.name, "raw_records"])))


def test_only_the_records_have_partitions_and_all_else_is_made_of_all_of_them(conf: Dataset) -> None:
    specs = {spec.key.path[-1]: spec for spec in definitions([conf]).resolve_all_asset_specs()}
    assert [name for name, spec in specs.items() if spec.partitions_def] == ["raw_records"]
    assert {dep.asset_key.path[-1] for dep in specs["raw_records"].deps} == {"periods"}
    assert all(spec.description for spec in specs.values())


def test_records_of_an_asset_of_a_project_come_as_it_gives_them(conf: Dataset, folder: Path) -> None:
    assets: Any = embedding_assets(folder / conf.file, records="shop/loans").assets
    assert not any(one.partitions_def for one in assets)
    assert dg.AssetKey(["watched", "periods"]) not in [one.key for one in assets]


def test_a_changed_setting_makes_stale_what_it_concerns(conf: Dataset, folder: Path) -> None:
    def versions(conf: Dataset) -> dict[str, str | None]:
        return {spec.key.path[-1]: spec.code_version for spec in definitions([conf]).resolve_all_asset_specs()}

    def stale(after: Dataset) -> set[str]:
        return {name for name, version in versions(after).items() if version != before[name]}

    before = versions(conf)
    assert stale(write(folder, "watched", path=["watched-1.csv", "watched-2.csv"])) == set()
    assert stale(write(folder, "watched", where="movie <> 'war-01'")) == {"periods", "raw_records"}
    assert stale(write(folder, "watched", period={"column": "day", "every": "week"})) == {"periods", "raw_records"}
    assert "raw_records" not in stale(conf.model_copy(update={"dimensions": (3,)}))
    assert "raw_records" in stale(conf.model_copy(update={"weight": "user"}))


def test_a_run_makes_the_periods_that_are_new_or_have_changed(
    conf: Dataset, folder: Path, instance: dg.DagsterInstance, two_genres: pl.DataFrame
) -> None:
    result = make(conf, instance)
    assert result.success
    assert made_of(result, conf) == [*MONTHS, None]
    *_, whole = result.asset_materializations_for_node("watched__raw_records")
    schema: Any = whole.metadata[metadata.SCHEMA].value
    assert {one.name: one.description for one in schema.columns}["day"] == "says in which period a row is"
    assert instance.get_dynamic_partitions("watched_periods") == MONTHS
    assert set(instance.get_materialized_partitions(dg.AssetKey(["watched", "raw_records"]))) == set(MONTHS)
    checks = result.get_asset_check_evaluations()
    assert all(check.passed for check in checks if check.asset_key.path[-1] == "raw_records")
    by_period = fingerprint(conf)
    at_once = write(folder, "at_once", period=None)
    assert make(at_once, instance, *FIRST[1:]).success
    assert fingerprint(at_once) == by_period
    version = records(conf).version

    result = make(conf, instance)
    assert result.success
    assert made_of(result, conf) == [None]
    assert (records(conf).version, fingerprint(conf)) == (version, by_period)

    spoil(folder / "watched-1.csv")
    add(folder, 4, two_genres.head(100))
    result = make(conf, instance)
    assert result.success
    assert made_of(result, conf) == ["2024-04", None]
    assert len(records(conf)) == len(two_genres) + 100
    said = result.asset_materializations_for_node("watched__raw_records")[-1].metadata
    assert said["periods"].value == "4, of which 1 was read now: 2024-04"
    assert len([name for name in said if not name.startswith("dagster/")]) <= 10

    (folder / "watched-4.csv").unlink()
    assert make(conf, instance).success
    assert instance.get_dynamic_partitions("watched_periods") == MONTHS
    assert fingerprint(conf) == by_period

    result = make(write(folder, "watched", where="movie <> 'war-01'"), instance)
    assert not result.success  # now each is read again, and the first cannot be
    assert fingerprint(conf) == by_period


def test_a_period_that_comes_late_has_its_place_in_time(
    conf: Dataset, folder: Path, instance: dg.DagsterInstance
) -> None:
    late = (folder / "watched-2.csv").rename(folder.parent / "late.csv")
    assert make(conf, instance).success
    late.rename(folder / "watched-2.csv")
    result = make(conf, instance)
    assert made_of(result, conf) == ["2024-02", None]
    assert instance.get_dynamic_partitions("watched_periods") == MONTHS
    at_once = write(folder, "at_once", period=None)
    assert make(at_once, instance, *FIRST[1:]).success
    assert fingerprint(at_once) == fingerprint(conf)


def test_a_person_can_make_one_period_or_some(conf: Dataset, folder: Path, instance: dg.DagsterInstance) -> None:
    assert make(conf, instance, "periods").success
    result = make(conf, instance, "raw_records", partition_key="2024-02")
    assert result.success
    assert made_of(result, conf) == ["2024-02"]
    (event,) = result.asset_materializations_for_node("watched__raw_records")
    assert event.metadata["dagster/row_count"].value == len(records(conf)) == 480
    spoil(folder / "watched-1.csv")
    span = {"dagster/asset_partition_range_start": "2024-02", "dagster/asset_partition_range_end": "2024-03"}
    result = make(conf, instance, tags=span)
    assert result.success
    assert set(made_of(result, conf)) == {"2024-02", "2024-03"}  # Dagster tells them in any order
    assert made_of(result, conf, "vocabulary") == [None]
    assert len(records(conf)) == 960
    result = make(conf, instance, "raw_records", partition_key="2024-01")
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "watched-1.csv: this is no text" in failure.step_failure_data.user_failure_data.description
    assert len(records(conf)) == 960


def test_a_run_that_fails_later_has_read_nothing_for_the_next(
    conf: Dataset, folder: Path, instance: dg.DagsterInstance, two_genres: pl.DataFrame
) -> None:
    """Its periods are part of a set that is not complete, as all that it made."""
    assert make(conf, instance).success
    add(folder, 4, two_genres.head(100))
    impossible = write(folder, "watched").model_copy(update={"dimensions": (1000,)})
    assert not make(impossible, instance).success
    assert len(records(conf)) == len(two_genres)
    assert made_of(make(conf, instance), conf) == ["2024-04", None]


def test_datasets_with_periods_of_their_own_run_together(
    conf: Dataset, folder: Path, instance: dg.DagsterInstance
) -> None:
    by_day = write(folder, "by_day", period={"column": "day", "every": "day"})
    job = definitions([conf, by_day]).resolve_job_def(ALL)
    selection = [dg.AssetKey([one.name, asset]) for one in (conf, by_day) for asset in FIRST]
    assert job.execute_in_process(instance=instance, asset_selection=selection).success
    assert len(instance.get_dynamic_partitions("by_day_periods")) == 84
    assert len(instance.get_dynamic_partitions("watched_periods")) == 3
    assert len(records(by_day)) == len(records(conf))


def test_another_machine_reads_only_what_is_new_in_the_store(
    conf: Dataset,
    folder: Path,
    tmp_path: Path,
    two_genres: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    fresh_database: Callable[[Path], str],
) -> None:
    monkeypatch.setenv("PIPELINE_STORE", f"file://{tmp_path}/store")
    with dg.DagsterInstance.ephemeral() as here:
        assert make(conf, here).success
    spoil(folder / "watched-1.csv")
    add(folder, 4, two_genres.head(100))
    fresh_database(tmp_path / "there")
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "there"))
    with dg.DagsterInstance.ephemeral() as there:
        result = make(conf, there)
        assert made_of(result, conf) == ["2024-04", None]
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    assert len(records(conf)) == len(two_genres) + 100


def test_the_command_reads_what_is_new_and_tells_the_results(
    conf: Dataset, folder: Path, two_genres: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command.run(conf.name) == 0
    add(folder, 4, two_genres.head(100))
    capsys.readouterr()
    assert run_command.run(conf.name) == 0
    told = capsys.readouterr()
    assert "watched: of 4 periods, 1 was read now: 2024-04" in told.out + told.err
    assert "recall_at_20" in told.out
    with run_command.instance() as instance:
        key = dg.AssetKey(["watched", "raw_records"])
        assert set(instance.get_materialized_partitions(key)) == {*MONTHS, "2024-04"}


def test_the_schedule_and_the_sensor_ask_for_a_run_that_names_no_partition(
    conf: Dataset, folder: Path, instance: dg.DagsterInstance
) -> None:
    for path in folder.glob("*.csv"):
        os.utime(path, ns=(0, 0))
    repository = definitions([conf]).get_repository_def()
    schedule, sensor = (f"{conf.name}_daily", f"{conf.name}_source_changed")
    at = dg.build_schedule_context(instance=instance, repository_def=repository)
    (daily,) = repository.get_schedule_def(schedule).evaluate_tick(at).run_requests or ()
    looks = dg.build_sensor_context(instance=instance, repository_def=repository)
    (changed,) = repository.get_sensor_def(sensor).evaluate_tick(looks).run_requests or ()
    assert {request.partition_key for request in (daily, changed)} == {None}
    assert not any("partition" in tag for request in (daily, changed) for tag in request.tags)


_BACKFILL = """
mutation($asked: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $asked) { ... on LaunchBackfillSuccess { backfillId } }
}
"""
_STATUS = """
query($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      partitionKeys
      assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } }
    }
  }
}
"""


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated")  # Dagster's own use of itself
def test_a_backfill_of_some_periods_is_one_run_and_the_page_shows_them(conf: Dataset) -> None:
    """As Dagster's page launches it, and as the daemon of `make dev` works on it."""
    from dagster_graphql.test.utils import execute_dagster_graphql  # all workers would need a second for it

    key = {"path": ["watched", "raw_records"]}
    with run_command.instance() as instance:
        assert make(conf, instance, "periods").success
        with create_test_daemon_workspace_context(ModuleTarget("assets.definitions", None, None, None), instance) as at:
            context = at.create_request_context()
            asked = {"assetSelection": [key], "partitionNames": MONTHS[1:]}
            answer = execute_dagster_graphql(context, _BACKFILL, {"asked": asked})
            assert "backfillId" in answer.data["launchPartitionBackfill"], answer.data
            backfill = answer.data["launchPartitionBackfill"]["backfillId"]
            queue = QueuedRunCoordinatorDaemon(interval_seconds=1)

            def is_over() -> bool:
                list(execute_backfill_iteration(at, get_default_daemon_logger("backfill")))
                list(queue.run_iteration(at))
                status = instance.get_backfill(backfill).status  # type: ignore[union-attr]
                return status != BulkActionStatus.REQUESTED

            wait_until(is_over)
            assert instance.get_backfill(backfill).status == BulkActionStatus.COMPLETED_SUCCESS  # type: ignore[union-attr]
            (run,) = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))
            assert run.status == dg.DagsterRunStatus.SUCCESS
            page = execute_dagster_graphql(context, _STATUS, {"key": key}).data["assetNodeOrError"]
    assert page["partitionKeys"] == MONTHS
    assert page["assetPartitionStatuses"]["materializedPartitions"] == MONTHS[1:]
    assert len(records(conf)) == 960
