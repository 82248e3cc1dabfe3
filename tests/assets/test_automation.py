import os
import time
from pathlib import Path

import dagster as dg
import pytest

from assets import automation
from assets.definitions import definitions
from assets.resources import mlflow_from_environment
from pipeline.config.dataset import Dataset


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))


def settle(path: Path, seconds_ago: float = 60) -> None:
    """Make the file look as if it was written a while ago."""
    when = time.time() - seconds_ago
    os.utime(path, (when, when))


def look(sensor: dg.SensorDefinition, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance:
        return sensor(dg.build_sensor_context(instance=instance, cursor=cursor))  # type: ignore[return-value]


def test_schedules_and_sensors_are_off_until_switched_on(movies: Dataset, homes: Dataset) -> None:
    defs = definitions([movies, homes])
    schedules = list(defs.schedules or ())
    sensors = list(defs.sensors or ())
    assert {schedule.name for schedule in schedules} == {"planted_movies_daily", "planted_homes_daily"}  # type: ignore[union-attr]
    assert {sensor.name for sensor in sensors} == {
        "planted_movies_source_changed",
        "planted_homes_source_changed",
        "planted_movies_close_lost_runs",
        "planted_homes_close_lost_runs",
    }
    assert all(schedule.default_status == dg.DefaultScheduleStatus.STOPPED for schedule in schedules)  # type: ignore[union-attr]
    assert all(sensor.default_status == dg.DefaultSensorStatus.STOPPED for sensor in sensors)
    assert all(found.description for found in (*schedules, *sensors))  # type: ignore[union-attr]


def test_a_schedule_asks_for_the_job_of_its_dataset(movies: Dataset) -> None:
    schedule = automation.schedule(movies)
    assert schedule.job_name == movies.name
    with dg.DagsterInstance.ephemeral() as instance:
        ticked = schedule.evaluate_tick(dg.build_schedule_context(instance=instance))
    assert ticked.run_requests is not None
    assert len(ticked.run_requests) == 1


def test_the_sensor_asks_once_for_each_state_of_the_source(movies: Dataset, tmp_path: Path) -> None:
    source = tmp_path / "conf" / "planted_movies.csv"
    sensor, _ = automation.sensors(movies, tmp_path / "conf")
    settle(source)
    first = look(sensor)
    assert isinstance(first, dg.SensorResult)
    assert len(first.run_requests or ()) == 1
    assert isinstance(look(sensor, first.cursor), dg.SkipReason)
    with source.open("a") as file:
        file.write("u999,war-01,War-01\n")
    settle(source, seconds_ago=30)
    second = look(sensor, first.cursor)
    assert isinstance(second, dg.SensorResult)
    assert second.cursor != first.cursor


def test_the_sensor_asks_again_for_a_source_that_is_restored(movies: Dataset, tmp_path: Path) -> None:
    """Dagster starts nothing for a key that it has met before."""
    source = tmp_path / "conf" / "planted_movies.csv"
    sensor, _ = automation.sensors(movies, tmp_path / "conf")
    text, cursor, keys = source.read_text(), None, []
    for more in ("", "u999,war-01,War-01\n") * 2:
        source.write_text(text + more)
        os.utime(source, (1_700_000_000, 1_700_000_000))
        found, again = look(sensor, cursor), look(sensor, cursor)
        assert isinstance(found, dg.SensorResult)
        assert isinstance(again, dg.SensorResult)
        (asked,), (asked_again,) = found.run_requests or (), again.run_requests or ()
        assert asked.run_key == asked_again.run_key  # a sensor that is looked at twice before its cursor is kept
        keys.append(asked.run_key)
        cursor = found.cursor
        assert isinstance(look(sensor, cursor), dg.SkipReason)
    assert len(set(keys)) == 4


def test_the_sensor_goes_on_from_the_cursor_of_an_earlier_version(movies: Dataset, tmp_path: Path) -> None:
    source = tmp_path / "conf" / "planted_movies.csv"
    sensor, _ = automation.sensors(movies, tmp_path / "conf")
    settle(source)
    found = look(sensor)
    assert isinstance(found, dg.SensorResult)
    assert found.cursor is not None
    assert isinstance(look(sensor, found.cursor.partition(" ")[0]), dg.SkipReason)


def test_the_sensor_sees_a_new_file_among_several(movies: Dataset, tmp_path: Path) -> None:
    conf = movies.model_copy(update={"source": movies.source.model_copy(update={"path": ("planted*.csv",)})})
    sensor, _ = automation.sensors(conf, tmp_path / "conf")
    settle(tmp_path / "conf" / "planted_movies.csv")
    first = look(sensor)
    (tmp_path / "conf" / "planted_more.csv").write_text("user,movie,title\nu1,war-01,War\n")
    settle(tmp_path / "conf" / "planted_more.csv", seconds_ago=30)
    assert isinstance(first, dg.SensorResult)
    assert isinstance(look(sensor, first.cursor), dg.SensorResult)


def test_the_sensor_waits_for_a_file_that_is_being_written_or_gone(movies: Dataset, tmp_path: Path) -> None:
    source = tmp_path / "conf" / "planted_movies.csv"
    sensor, _ = automation.sensors(movies, tmp_path / "conf")
    settle(source, seconds_ago=0)
    waiting = look(sensor)
    assert isinstance(waiting, dg.SkipReason)
    assert "may still be being written" in str(waiting.skip_message)
    source.unlink()
    gone = look(sensor)
    assert isinstance(gone, dg.SkipReason)
    assert "there is no such file" in str(gone.skip_message)


def test_the_sensor_waits_for_a_table_that_has_no_version_yet(movies: Dataset, tmp_path: Path) -> None:
    (tmp_path / "conf" / "table" / "_delta_log").mkdir(parents=True)
    conf = movies.model_copy(update={"source": movies.source.model_copy(update={"path": ("table",)})})
    waiting = look(automation.sensors(conf, tmp_path / "conf")[0])
    assert isinstance(waiting, dg.SkipReason)
    assert waiting.skip_message == "no source file is there yet"


def test_a_sample_has_nothing_to_watch(movies: Dataset, tmp_path: Path) -> None:
    source = movies.source.model_validate({"sample": "movielens"})
    assert [sensor.name for sensor in automation.sensors(movies.model_copy(update={"source": source}), tmp_path)] == [
        "planted_movies_close_lost_runs"
    ]


def test_lost_runs_are_closed(movies: Dataset, tmp_path: Path) -> None:
    mlflow = mlflow_from_environment()
    with dg.DagsterInstance.ephemeral() as instance:
        tracker = mlflow.tracker(movies, instance)
        lost = tracker.client.create_run(tracker.experiment_id, tags={"process": f"{os.uname().nodename} 999999999 1"})
        *_, sensor = automation.sensors(movies, tmp_path / "conf")
        context = dg.build_sensor_context(instance=instance, resources={"embedding_mlflow": mlflow})
        said = sensor(context)
        assert isinstance(said, dg.SkipReason)
        assert lost.info.run_id in str(said.skip_message)
        assert tracker.client.get_run(lost.info.run_id).info.status == "KILLED"
