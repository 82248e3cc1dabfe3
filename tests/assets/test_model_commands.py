"""The champion at work, as a user types it: served over real HTTP, asked about a file, chosen by hand."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import mlflow.pyfunc
import polars as pl
import psutil
import pytest
import requests
import yaml

from assets.__main__ import main
from assets.automation import ALL
from assets.definitions import definitions
from docs.tour import free_port
from pipeline.config.files import load
from pipeline.experiment.load_model import load as load_model
from pipeline.experiment.load_model import model_folder
from pipeline.inference import file_scoring
from pipeline.inference.bulk import Recommendations, write_batches
from tests.conftest import HOMES, MOVIES, PATIENCE, genre_of, wait_until
from tests.web import Host

PROJECT = Path(__file__).parents[2]
WAR = ["War-00", "war-01", "war-02"]

pytestmark = pytest.mark.slow(60)


@dataclass(frozen=True)
class Learned:
    """A home in which both planted datasets were learned."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PIPELINE_HOME": str(self.folder / "home"), "PIPELINE_CONF": str(self.folder / "conf")}


@pytest.fixture(scope="module")
def learned(
    tmp_path_factory: pytest.TempPathFactory,
    two_genres: pl.DataFrame,
    priced_words: pl.DataFrame,
    fresh_database: Callable[[Path], str],
) -> Learned:
    folder = tmp_path_factory.mktemp("learned")
    (folder / "conf").mkdir()
    fresh_database(folder / "home")
    for name, settings, records in (("films", MOVIES, two_genres), ("houses", HOMES, priced_words)):
        records.rename({"price": "cost"}, strict=False).write_csv(folder / "conf" / f"{name}.csv")
        source = {"path": f"{name}.csv"} | ({"rename": {"cost": "price"}} if name == "houses" else {})
        quick = {**settings, "source": source, "training": {"max_epochs": 5}}
        (folder / "conf" / f"{name}.yaml").write_text(yaml.safe_dump(quick, sort_keys=False))
    found = Learned(folder)
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        for variable, value in found.environment.items():
            patch.setenv(variable, value)
        confs = [load(folder / "conf" / f"{name}.yaml") for name in ("films", "houses")]
        assert definitions(confs).resolve_job_def(ALL).execute_in_process(instance=instance).success
    return found


@pytest.fixture
def typed(learned: Learned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Type a command: its exit code, and what it printed."""
    for variable, value in learned.environment.items():
        monkeypatch.setenv(variable, value)

    def type_in(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return type_in


def test_a_command_without_a_dataset_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("champion", "", ""), ("score", "", "new.csv")):
        assert main(command) == 1
        assert f"say which dataset: make {command[0]} DATASET=" in capsys.readouterr().err


@pytest.fixture(scope="module")
def served(learned: Learned) -> Iterator[Callable[..., tuple[str, psutil.Process]]]:
    """Serve the champion of a dataset until the tests are over: the address that it prints, and its process."""
    running: dict[str, tuple[str, psutil.Process]] = {}
    started = []

    def serve(dataset: str) -> tuple[str, psutil.Process]:
        if dataset not in running:
            port = free_port()
            process = subprocess.Popen(
                [sys.executable, "-m", "assets", "serve", dataset],
                cwd=PROJECT,
                env={**os.environ, **learned.environment, "SERVE_PORT": str(port)},
                stdout=subprocess.DEVNULL,
            )
            started.append(process)
            running[dataset] = f"http://127.0.0.1:{port}", psutil.Process(process.pid)
            wait_until(lambda: _answers(running[dataset][0], process))
        return running[dataset]

    yield serve
    for process in started:
        process.terminate()
        process.wait(PATIENCE)


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the server ended"
    try:
        return requests.get(f"{address}/ping", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_one_and_many_are_answered_over_http(served: Callable[..., Any]) -> None:
    address, _ = served("films")
    request = {"dataframe_records": [{"tokens": WAR}, {"tokens": ["love-00", "Lov-01"]}], "params": {"k": 4}}
    answers = requests.post(f"{address}/invocations", json=request, timeout=60).json()["predictions"]
    genres = [{genre_of(one["token"]) for one in answer["recommendations"]} for answer in answers]
    assert genres == [{"war"}, {"love"}]
    assert answers[1]["unknown"][0]["given"] == "Lov-01"
    assert "Love-01" in answers[1]["unknown"][0]["suggestions"]
    for form in (
        {"inputs": [{"tokens": WAR}]},
        {"instances": [{"tokens": WAR}]},
        {"dataframe_split": {"columns": ["tokens"], "data": [[WAR]]}},
    ):
        alone = requests.post(f"{address}/invocations", json={**form, "params": {"k": 4}}, timeout=60).json()
        assert alone["predictions"] == answers[:1]


@pytest.mark.parametrize("name", ["films", "houses"])
def test_over_http_comes_what_mlflow_s_own_model_answers(
    name: str, served: Callable[..., Any], learned: Learned
) -> None:
    folder = model_folder(name, f"sqlite:///{learned.folder}/home/mlflow.db")
    model = mlflow.pyfunc.load_model(str(folder))
    request = {"dataframe_split": model.input_example.to_dict("split"), "params": {"why": False}}
    answers = requests.post(f"{served(name)[0]}/invocations", json=request, timeout=60).json()
    assert answers["predictions"] == model.predict(model.input_example, {"why": False})


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ('{"dataframe_records": [', 400, "the request is no JSON: "),
        ("[1]", 400, "the request is no JSON object"),
        ("[" * 100_000, 400, "the request is no JSON: "),
        ('{"rows": []}', 400, "there is no field 'rows'"),
        ('{"dataframe_records": []}', 400, "the request has 0 rows"),
        ('{"dataframe_records": 3}', 400, "`dataframe_records` is no table"),
        ('{"dataframe_records": [{}]}', 400, "row 1, tokens: is missing, and a list of texts"),
        ('{"dataframe_records": [{"tokens": []}]}', 400, "row 1, tokens: is empty"),
        ('{"dataframe_records": [{"tokens": "a"}]}', 400, "row 1, tokens: is 'a', and a list of texts is asked for"),
        ('{"dataframe_records": [{"tokens": [NaN]}]}', 400, "row 1, tokens: has nan, and a text is asked for"),
        ('{"dataframe_records": [{"tokens": ["a"], "b": 1}]}', 400, "row 1: there is no field 'b'"),
        ('{"dataframe_records": [{"tokens": ["a"]}], "params": {"top": 1}}', 400, "params: there is no 'top'"),
        ('{"dataframe_records": [{"tokens": ["a"]}], "params": []}', 400, "`params` is no JSON object"),
        ('{"dataframe_records": [{"tokens": ["a"]}], "params": {"k": "2"}}', 400, "params, k: is '2', and a whole"),
        ('{"dataframe_records": [{"tokens": ["a"]}], "params": {"k": 0}}', 400, "params, k: is 0"),
        ('{"dataframe_records": [{"tokens": ["a"]}], "params": {"where": "x +"}}', 400, "params, where: 'x +' cannot"),
        (
            '{"dataframe_split": {"columns": ["tokens"], "data": [[["a"]], [["a"], 1]]}}',
            400,
            "row 2 of `dataframe_split`",
        ),
        ('{"dataframe_split": {"columns": ["tokens"], "data": [[]]}}', 400, "has 0 values for 1 columns"),
        ('{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}', 400, "has the column 'a' twice"),
        ('{"dataframe_split": {"columns": "tokens", "data": []}}', 400, "`dataframe_split` is no table"),
        (json.dumps({"inputs": [{"tokens": ["a"] * 100_000}]}), 400, "row 1, tokens: has 100,000 tokens"),
        (json.dumps({"inputs": [{"tokens": ["a"]}] * 10_001}), 400, "the request has 10,001 rows"),
        (" " * (17 * 2**20), 413, "the request is larger than 16 MiB"),
    ],
)
def test_a_mistake_in_a_request_is_told_in_a_sentence(
    body: str, status: int, said: str, served: Callable[..., Any]
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{served('films')[0]}/invocations", data=body, headers=headers, timeout=60)
    assert answer.status_code == status
    assert said in answer.json()["message"]
    assert answer.json().keys() == {"error_code", "message"}  # no traceback
    assert "\n" not in answer.json()["message"]


def test_something_else_than_json_is_told(served: Callable[..., Any]) -> None:
    answer = requests.post(f"{served('films')[0]}/invocations", data="tokens\na", timeout=60)
    assert (answer.status_code, "send JSON" in answer.json()["message"]) == (415, True)


def test_the_kind_of_a_request_is_told_in_any_letters(served: Callable[..., Any]) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = json.dumps({"dataframe_records": [{"tokens": WAR}]})
    answer = requests.post(f"{served('films')[0]}/invocations", data=body, headers=headers, timeout=60)
    assert answer.status_code == 200


def test_memory_does_not_grow_with_requests(served: Callable[..., Any]) -> None:
    address, process = served("films")

    def ask(n: int) -> int:
        with requests.Session() as session:
            for i in range(n):
                rows = [{"tokens": [f"war-{i % 20:02d}", f"unknown {i}"]}] * 3
                session.post(f"{address}/invocations", json={"dataframe_records": rows}, timeout=60)
        resident: int = process.memory_info().rss
        return resident

    begun = ask(300)
    assert ask(600) - begun < 20e6


def test_a_price_comes_over_http_with_its_interval(served: Callable[..., Any]) -> None:
    rows = [{"text": "castle garden", "area": 100}, {"text": "ruin", "area": None}]
    answer = requests.post(f"{served('houses')[0]}/invocations", json={"dataframe_records": rows}, timeout=60)
    dear, cheap = answer.json()["predictions"]
    assert dear["low"] < dear["predicted"] < dear["high"]
    assert dear["predicted"] > cheap["predicted"]
    assert [one["token"] for one in cheap["because"]] == ["ruin"]


def test_the_records_of_a_file_are_scored(learned: Learned, typed: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("id;text;area\n1;castle garden;100\n2;ruin;90,5\n")
    code, out, err = typed("score", "houses", str(tmp_path / "new.csv"))
    assert (code, err) == (0, "")
    scored = pl.read_parquet(tmp_path / "new.scored.parquet")
    assert scored.columns == ["id", "text", "area", "predicted", "low", "high", "unknown"]
    assert scored["id"].to_list() == ["1", "2"]
    assert (scored["low"] < scored["predicted"]).all()
    assert "2 answers for 2 records" in out
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    (tmp_path / "lists.csv").write_text("user,movie\n" + "".join(f"n,{film.lower()}\n" for film in WAR))
    code, out, err = typed("score", "films", str(tmp_path / "lists.csv"))
    assert (code, err) == (0, "")
    scored = pl.read_parquet(tmp_path / "lists.scored.parquet")
    assert scored.columns == ["example", "rank", "token", "label", "score"]
    assert {genre_of(token) for token in scored.head(10)["token"]} == {"war"}


def test_a_column_may_have_no_value_in_a_whole_file(typed: Callable[..., Any], tmp_path: Path) -> None:
    rows = [{"text": "castle garden", "area": None}, {"text": "ruin", "area": None}]
    (tmp_path / "new.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert typed("score", "houses", str(tmp_path / "new.ndjson"))[0] == 0
    of_nulls = pl.read_parquet(tmp_path / "new.scored.parquet")["predicted"].to_list()
    (tmp_path / "new.csv").write_text("text,area\ncastle garden,\nruin,\n")
    assert typed("score", "houses", str(tmp_path / "new.csv"))[0] == 0
    assert pl.read_parquet(tmp_path / "new.scored.parquet")["predicted"].to_list() == of_nulls
    (tmp_path / "bare.ndjson").write_text(json.dumps({"text": None, "area": 90}) + "\n")
    assert typed("score", "houses", str(tmp_path / "bare.ndjson"))[0] == 0


def test_each_file_has_answers_of_its_own(typed: Callable[..., Any], tmp_path: Path) -> None:
    for day in ("01", "02"):
        (tmp_path / f"new.2024-01-{day}.csv").write_text(f"id;text;area\n{day};castle garden;100\n")
        assert typed("score", "houses", str(tmp_path / f"new.2024-01-{day}.csv"))[0] == 0
    for day in ("01", "02"):
        assert pl.read_parquet(tmp_path / f"new.2024-01-{day}.scored.parquet")["id"].to_list() == [day]


def test_a_file_of_an_address_is_scored_into_the_working_directory(
    typed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    host = Host()
    host.content = b"id;text;area\n1;castle garden;100\n"
    assert typed("score", "houses", f"{host.address}/new.2024.csv?signature={'x' * 300}")[0] == 0
    host.close()
    assert pl.read_parquet(tmp_path / "new.2024.scored.parquet")["id"].to_list() == ["1"]


@pytest.mark.parametrize("asked", ["new*.csv", "{folder}/new*.csv", "new[1].csv", "{folder}/new[1].csv"])
def test_a_file_is_scored_in_a_folder_whose_name_is_a_pattern(
    asked: str, typed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "[new] data*"
    folder.mkdir()
    (folder / "new[1].csv").write_text("id;text;area\n1;castle garden;100\n2;ruin;wide\n")
    monkeypatch.chdir(folder)
    code, out, err = typed("score", "houses", asked.format(folder="." if "*" in asked else folder))
    assert (code, err) == (0, "")
    assert "1 answer for 1 record, in" in out
    assert "1 more record could not be used" in out
    name = "records" if "*" in asked else "new[1]"
    assert pl.read_parquet(folder / f"{name}.scored.parquet", glob=False)["id"].to_list() == ["1"]


def test_what_was_made_is_read_in_a_folder_whose_name_is_a_pattern(learned: Learned, tmp_path: Path) -> None:
    made = learned.folder / "home" / "data" / "films" / "recommendations"
    shutil.copytree(made, tmp_path / "[1]")
    there = Recommendations.load(tmp_path / "[1]").frame.collect()
    assert there.equals(Recommendations.load(made).frame.collect())
    shutil.copytree(model_folder("films", f"sqlite:///{learned.folder}/home/mlflow.db"), tmp_path / "[2]")
    assert load_model(str(tmp_path / "[2]")).similar("war-01", 3).height == 3


def test_a_stream_is_told_that_it_has_to_be_a_file(typed: Callable[..., Any], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for stream in ("-", "/dev/stdin", "/dev/fd/0", str(tmp_path / "pipe")):
        code, _, err = typed("score", "houses", stream)
        assert (code, "Write it into one first, such as `cat > new.csv`" in err) == (1, True)


def test_what_cannot_be_answered_is_told_beside_the_answers(typed: Callable[..., Any], tmp_path: Path) -> None:
    """One of four records has no number, and of two no word is known; answers that lie there are not read again."""
    (tmp_path / "new.csv").write_text("id;text;area\n1;castle garden;100\n2;ruin;wide\n3;qwerty;90\n4;;80\n")
    for _ in range(2):
        code, out, err = typed("score", "houses", str(tmp_path / "*"))
        assert (code, err) == (0, "")
        assert "3 answers for 3 records" in out
        assert re.search(r"1 more record could not be used: 1 x area: is no number.* \(first .*new.csv:3\)\.", out)
        assert "No token is known of 2 examples" in out
    scored = pl.read_parquet(tmp_path / "records.scored.parquet")
    assert scored["unknown"].to_list() == [[], ["qwerty"], []]


def test_a_scoring_that_is_asked_to_end_leaves_nothing_behind(
    typed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_meanwhile(*of_answers: Any) -> int:
        signal.raise_signal(signal.SIGTERM)
        return write_batches(*of_answers)

    monkeypatch.setattr(file_scoring, "write_batches", asked_meanwhile)
    (tmp_path / "new.csv").write_text("id,text,area\n1,castle,50\n")
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        code, _, err = typed("score", "houses", str(tmp_path / "new.csv"))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (code, err) == (130, "stopped\n")
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_a_file_that_cannot_be_scored_is_told_and_leaves_the_earlier_answers(
    typed: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "new.scored.parquet").write_bytes(b"earlier")
    (tmp_path / "new.csv").write_text("words,area\ncastle,1\n")
    code, _, err = typed("score", "houses", str(tmp_path / "new.csv"))
    assert code == 1
    assert "there is no column 'text' in" in err
    code, _, err = typed("score", "houses", str(tmp_path / "none.csv"))
    assert (code, "none.csv: there is no such file" in err) == (1, True)
    assert "source.path" not in err  # nobody wrote that
    code, _, err = typed("score", "houzes", str(tmp_path / "new.csv"))
    assert (code, "did you mean 'houses'" in err) == (1, True)
    assert (tmp_path / "new.scored.parquet").read_bytes() == b"earlier"


def test_every_example_gets_recommendations_that_it_does_not_have(learned: Learned, two_genres: pl.DataFrame) -> None:
    found = Recommendations.load(learned.folder / "home" / "data" / "films" / "recommendations").frame.collect()
    assert found["example"].n_unique() == 160
    assert found.join(two_genres, left_on=["example", "token"], right_on=["user", "movie"]).is_empty()
    counts = found.group_by("example").len()
    assert counts["len"].max() <= 100
    best = found.filter(rank=1).with_columns(own=pl.col("example").str.slice(1).cast(pl.Int64) % 2)
    genre = best["token"].str.split("-").list.first()
    assert (genre == best["own"].replace_strict({0: "love", 1: "war"})).mean() > 0.95


def test_versions_are_told_and_chosen(typed: Callable[..., Any]) -> None:
    assert re.match(
        r" +1  embedding D=2 +champion +version 1, embedding D=2, is the first", typed("champion", "films")[1]
    )
    assert "champion, chosen by hand" in typed("champion", "films", "1")[1]
    assert "by hand" not in typed("champion", "films", "auto")[1]
    code, _, err = typed("champion", "films", "5")
    assert (code, "has no version '5'; there is: 1" in err) == (1, True)
    code, _, err = typed("champion", "flims")
    assert (code, "there is no model 'flims' in MLflow, did you mean 'films'?" in err) == (1, True)


def test_before_anything_was_learned_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "empty"))
    (tmp_path / "x.csv").write_text("user,movie\n1,2\n")
    for arguments in (["serve", "films"], ["score", "films", str(tmp_path / "x.csv")], ["champion", "films"]):
        assert main(arguments) == 1
        assert "nothing was learned in" in capsys.readouterr().err
