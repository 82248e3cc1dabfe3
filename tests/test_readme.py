"""What the README tells a newcomer to type, typed; on the real samples, in a home of its own."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image, ImageColor

from docs import course
from docs.tour import free_port
from pipeline.config.files import load
from pipeline.experiment.comparison import Comparison
from pipeline.pictures.palette import CATEGORIES

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
COURSE = (PROJECT / "docs" / "course.md").read_text()
BIN = Path(sys.executable).parent

FITS = 26
"""Of both samples, as their confs have it."""

pytestmark = pytest.mark.slow(280)


def shell(line: str, home: Path) -> str:
    """Type a line into a shell in the project's folder."""
    environment = {**os.environ, "PIPELINE_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    done = subprocess.run(line, shell=True, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """`make run` in an empty home: the home, and what was printed."""
    home = tmp_path_factory.mktemp("newcomer") / "var"
    return home, shell("make run", home)


def rows(table: str) -> list[tuple[str, list[str]]]:
    """The rows of the README's or the terminal's tables: the fit and its first two metrics, with their intervals."""
    number = r"-?[0-9.,]+ ±[0-9.,]+"
    return [
        (name, [first, second])
        for name, first, second in re.findall(
            rf"^([a-z_]+(?: D=\d+)?) +({number}) +({number})(?: .*)?$", table, re.MULTILINE
        )
    ]


def answers(text: str) -> list[str]:
    """The paragraphs of the README or the terminal that tell which D to take."""
    return re.findall(r"^\w+: Take .*(?:\n.+)*", text.replace("\n```", "\n\n"), re.MULTILINE)


def verdicts(text: str) -> list[str]:
    """The verdicts of the README or the terminal: the two fits, and what is said of them with its figures."""
    lines = re.findall(r"^(\S+(?: D=\d+)? +\S+(?: D=\d+)? +(?:better|worse|no difference).*)$", text, re.MULTILINE)
    return [" ".join(line.split()) for line in lines]


def test_make_run_prints_the_readme_s_answers_and_tables(first_run: tuple[Path, str]) -> None:
    """In every digit, whatever processor this is: see `precision` in docs/conf.md."""
    assert len(rows(README)) == FITS
    assert sorted(rows(first_run[1])) == sorted(rows(README))
    assert sorted(answers(first_run[1])) == sorted(answers(README)) != []
    assert set(verdicts(first_run[1])) > set(verdicts(README)) > set()


def test_learned_beats_pca_and_every_other_baseline_beyond_doubt(first_run: tuple[Path, str]) -> None:
    """The promise of the project, at each dimension that the README shows, on examples that no fit has seen."""
    movies, homes = (Comparison.load(first_run[0] / "data" / name / "comparison") for name in ("movies", "homes"))
    for comparison, metrics in ((movies, ("recall_at_20", "ndcg_at_20")), (homes, ("rmse_log",))):
        for fit, against in comparison.told_pairs():
            for metric in metrics:
                verdict = comparison.verdict(fit, against, metric)["verdict"]
                assert verdict == "better", (fit, against, metric)
    for metric in ("recall_at_20", "ndcg_at_20"):
        assert movies.verdict("embedding D=8", "pca D=16", metric)["verdict"] == "better"
    assert homes.verdict("embedding D=3", "pca D=16", "rmse_log")["verdict"] == "better"
    assert homes.frame.filter(fit="embedding D=3")["rmse_log"].item() < 0.135


def test_the_neighbours_are_what_a_person_would_name(first_run: tuple[Path, str]) -> None:
    """Run the README's snippet: Alien's neighbours hold its own series, and what is recommended is new."""
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", "import polars; polars.Config.set_tbl_rows(20)\n" + snippet],
        env={**os.environ, "PIPELINE_HOME": str(first_run[0])}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    recommended = done.stdout.partition("cosine")[0]
    assert "Matrix, The (1999)" in recommended
    assert "Aliens (1986)" not in recommended
    for sequel in ("Aliens (1986)", "Alien³"):
        assert sequel in done.stdout


def test_three_commands_lead_to_a_recommendation_over_http(first_run: tuple[Path, str]) -> None:
    """`make run` was the first; then those of the README, where the port may be taken by somebody else."""
    serve, curl = re.findall(r"^\$ (make serve .*)\n\$ (curl .*\n.*)$", README, re.MULTILINE)[0]
    port = str(free_port())
    environment = {**os.environ, "PIPELINE_HOME": str(first_run[0]), "SERVE_PORT": port}
    server = subprocess.Popen(serve, shell=True, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert any("Ctrl-C ends it" in line for line in server.stdout)
        retried = "--silent --retry 100 --retry-connrefused --retry-delay 1"  # it says so before it listens
        answer = shell(curl.replace("5002", port).replace("curl", f"curl {retried}", 1), first_run[0])
    finally:
        for process in [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]:
            process.terminate()
        server.communicate()
    found = json.loads(answer)["predictions"][0]["recommendations"]
    assert found[0]["label"] == "Aliens (1986)"
    assert found[0]["because"][0]["label"] == "Alien (1979)"
    assert len(found) == 5


def test_the_map_puts_films_among_their_kind(first_run: tuple[Path, str]) -> None:
    """Of the ten nearest on the map to each of ten well-known films, at least seven in ten share a genre with it.

    All together, as t-SNE makes the last bits large: another processor's map has other neighbours.
    """
    films = (
        "Star Wars: Episode IV - A New Hope (1977)", "Raiders of the Lost Ark (Indiana Jones and the Raiders of the "
        "Lost Ark) (1981)", "Godfather, The (1972)", "Terminator 2: Judgment Day (1991)", "Die Hard (1988)",
        "Blade Runner (1982)", "Pulp Fiction (1994)", "Aladdin (1992)", "Lion King, The (1994)", "Fight Club (1999)",
    )  # fmt: skip
    fits = json.loads((first_run[0] / "data/movies/embedding/fits.json").read_text())
    artifacts = first_run[0] / "artifacts/movies" / fits[-1]["run_id"] / "artifacts"
    (text,) = re.findall(
        r'<script id="data" type="application/json">(.*?)</script>', (artifacts / "latent_space.html").read_text()
    )
    page = json.loads(text)
    ((view,), *_) = page["views"]
    assert view["name"] == "neighbourhoods (t-SNE)"
    points = np.frombuffer(base64.b64decode(view["points"]), "<f4").reshape(-1, 2)
    genres = [set(names.split("|")) for names in page["about"]["genres"]]
    shared = 0
    for film in films:
        own = page["labels"].index(film)
        nearest = np.argsort(np.linalg.norm(points - points[own], axis=1))[1:11]
        shared += sum(bool(genres[own] & genres[other]) for other in nearest)
    assert shared >= 70


def test_a_second_run_fits_nothing(first_run: tuple[Path, str]) -> None:
    home, _ = first_run
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    before = {run.info.run_id for run in client.search_runs(experiments)}
    printed = shell("make run", home)
    assert printed.count(" is reused") == len(before) == FITS
    assert {run.info.run_id for run in client.search_runs(experiments)} == before
    assert rows(printed) == rows(first_run[1])


def test_dagster_s_own_commands_work(first_run: tuple[Path, str]) -> None:
    """They print the answer that `make run` has printed, and no events of the engine."""
    (line,) = re.findall(r"^\$ \.venv/bin/(dagster asset materialize .*)$", README, re.MULTILINE)
    printed = shell(f"{BIN}/{line} 2>&1", first_run[0])
    assert next(told for told in answers(first_run[1]) if told.startswith("movies:")) in printed
    assert "DEBUG" not in printed


def test_what_stands_on_disk_is_what_the_readme_lists(first_run: tuple[Path, str]) -> None:
    (fit,) = json.loads((first_run[0] / "data/movies/embedding/fits.json").read_text())[:1]
    files = {path.name for path in (first_run[0] / "artifacts/movies" / fit["run_id"] / "artifacts").iterdir()}
    files |= {path.name for path in (first_run[0] / "data/movies/comparison").iterdir()} - {"comparison.parquet"}
    files |= {path.name for name in ("report", "exports") for path in (first_run[0] / "data/movies" / name).glob("*.*")}
    files -= {"word2vec.txt"}
    assert files == set(re.findall(r"`([a-z_]+\.(?:parquet|png|npz|json|html|usearch))`", README)) - {"fits.json"}


_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?P<share> ?%)?|\.\d+")


def figures(text: str) -> list[tuple[float, float]]:
    """The figures of a page, each with the unit of its last digit; 0 for a count."""
    found = []
    for match in _NUMBER.finditer(text):
        number = match[0].rstrip("% ").replace(",", "")
        decimals = len(number.partition(".")[2])
        found.append((float(number), 10.0**-decimals if decimals or match["share"] else 0.0))
    return found


def test_the_course_tells_what_the_run_has_found(first_run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word; a figure may be rounded to the other side on another processor."""
    monkeypatch.setenv("PIPELINE_HOME", str(first_run[0]))
    written = course.written()
    assert _NUMBER.sub("#", written) == _NUMBER.sub("#", COURSE), "run `make run course`"
    for (now, unit), (then, _) in zip(figures(written), figures(COURSE), strict=True):
        assert abs(now - then) <= 1.01 * unit, (now, then)


def test_the_course_s_pictures_are_there_and_small(
    first_run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(first_run[0]))
    assert set(re.findall(r"!\[[^]]+\]\((\w+\.png)\)", COURSE)) == set(course.PICTURES)
    for name in course.PICTURES:
        assert (PROJECT / "docs" / name).stat().st_size < 150_000, name
    folder = first_run[0].parent
    course.draw(folder)
    assert all((folder / name).stat().st_size for name in course.PICTURES)


def test_the_course_s_legends_have_the_colours_of_the_points() -> None:
    picture = Image.new("RGB", (400, 400), "white")
    for i, colour in enumerate(CATEGORIES):
        greys = Image.new("RGB", (400, 40))
        greys.putdata([(x * y % 256,) * 3 for y in range(40) for x in range(400)])
        picture.paste(greys, (0, 40 * i))
        picture.paste(colour, (0, 320 + 8 * i, 8, 328 + 8 * i))
    few = course.reduced(picture).convert("RGB")
    for i, colour in enumerate(CATEGORIES):
        apart = np.subtract(few.getpixel((4, 324 + 8 * i)), ImageColor.getrgb(colour))
        assert abs(apart).max() < 16, colour


def test_the_course_names_files_that_there_are(first_run: tuple[Path, str]) -> None:
    named = re.findall(r"`var/([\w/.]+)`", COURSE)
    assert len(named) >= 2
    for path in named:
        assert (first_run[0] / path).is_file(), path


def test_the_course_s_questions_begin_with_conf_files_that_differ(tmp_path: Path) -> None:
    """Type each line that writes a conf file: it writes a complete one, and each that is run has been written."""
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    before = {path.stem: load(path) for path in (tmp_path / "conf").glob("*.yaml")}
    lines = re.findall(r"^\$ (.* > conf/(\w+)\.yaml)$", COURSE, re.MULTILINE)
    for line, name in lines:
        subprocess.run(line, shell=True, cwd=tmp_path, check=True)
        made = load(tmp_path / "conf" / f"{name}.yaml")
        settings = [conf.model_dump(exclude={"name", "file"}) for conf in (made, before[name.partition("_")[0]])]
        assert settings[0] != settings[1], line
        assert line.split(" > ")[0].count("conf/") == 1
    asked = re.findall(r"^\$ make run DATASET=(\w+)$", COURSE, re.MULTILINE)
    assert sorted(asked) == sorted(name for _, name in lines) != []
