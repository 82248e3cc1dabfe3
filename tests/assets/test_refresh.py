"""Tomorrow's records in the same home: what is kept, what goes on, and what is not made again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from assets.definitions import definitions
from pipeline.config.files import load
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.champion import Champion
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.load_model import load as load_model
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import MOVIES

pytestmark = pytest.mark.slow(60)

NEW, GONE = "war-new", "love-00"


def tomorrow(records: pl.DataFrame) -> pl.DataFrame:
    """Of 160 people eight are copied, with a film that is new; and nobody has one of the old films any more."""
    some = records.filter(pl.col("user") < "u016").filter(pl.col("user").str.tail(1).is_in(list("13579")))
    copied = some.with_columns(user="v" + pl.col("user"))
    with_new = copied.select("user").unique().with_columns(movie=pl.lit(NEW), title=pl.lit("War-New"))
    return pl.concat([records, copied, with_new]).filter(pl.col("movie") != GONE)


def labelled(template: str) -> list[dict[str, str]]:
    """The tokens of the planted movies with another label."""
    return [{"kind": "value", "columns": "movie", "label": template}]


class Home:
    """A folder with a source, its conf file and all that is made from it."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance

    def run(self, records: pl.DataFrame, **settings: object) -> dg.ExecuteInProcessResult:
        """Make every asset of these records."""
        conf = self.folder / "conf"
        records.write_csv(conf / "films.csv")
        text = yaml.safe_dump({**MOVIES, "source": {"path": "films.csv"}, **settings}, sort_keys=False)
        (conf / "films.yaml").write_text(text)
        job = definitions([load(conf / "films.yaml")]).resolve_job_def("films")
        result = job.execute_in_process(instance=self.instance)
        assert result.success
        return result

    def value(self, name: str) -> Path:
        return self.folder / "home" / "data" / "films" / name

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.load(self.value("vocabulary"))

    def embedding_run(self) -> Run:
        """The run of the learned embedding that counts."""
        frame = Comparison.load(self.value("comparison")).frame.filter(method="embedding")
        return self.client.get_run(frame["run_id"].item())

    @property
    def address(self) -> str:
        """Where MLflow is."""
        return f"sqlite:///{self.folder}/home/mlflow.db"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.address)

    def epochs(self, run: Run) -> int:
        """For how long a run has learned."""
        return len(self.client.get_metric_history(run.info.run_id, "train_loss"))


@pytest.fixture
def home(tmp_path: Path, fresh_database: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    (tmp_path / "conf").mkdir()
    fresh_database(tmp_path / "home")
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(tmp_path, instance)


def test_tomorrow_known_tokens_keep_their_integers_and_the_fit_goes_on(home: Home, two_genres: pl.DataFrame) -> None:
    home.run(two_genres)
    before, first = home.vocabulary, home.embedding_run()
    parts = SparseExamples.load(home.value("sparse_examples")).frame
    changed = tomorrow(two_genres)
    result = home.run(changed)

    now, refreshed = home.vocabulary, home.embedding_run()
    assert now.tokens["token"].head(len(before)).to_list() == before.tokens["token"].to_list()
    assert now.tokens["token"].to_list()[len(before) :] == [NEW]
    assert now.tokens.row(before.index(GONE), named=True)["count"] == 0
    (event,) = result.asset_materializations_for_node("films__vocabulary")
    assert event.metadata["without a training example"].value == "Love-00"
    today = SparseExamples.load(home.value("sparse_examples")).frame
    both = parts.join(today, on="example")
    assert (both["split"] == both["split_right"]).all()
    assert len(both) == len(parts)

    assert refreshed.data.tags["refreshed_from"] == first.info.run_id
    assert refreshed.data.params["refreshes"] == "1"
    assert [home.epochs(run) for run in (refreshed, first)] == [12, 40]  # that is what learning costs
    assert Champion.load(home.value("champion")).version == "2"
    assert "Since the fit before, known tokens have moved by" in (home.value("report") / "report.html").read_text()

    again = home.run(changed)
    assert home.embedding_run().info.run_id == refreshed.info.run_id
    assert Comparison.load(home.value("comparison")).frame["reused"].all()
    versions = [
        {name: event.tags["dagster/data_version"] for name in ("vocabulary", "sparse_examples", "embedding", "champion")
         for event in one.asset_materializations_for_node(f"films__{name}")}
        for one in (result, again)
    ]  # fmt: skip
    assert versions[0] == versions[1]
    once_more = pl.concat([changed, changed.head(1).with_columns(movie=pl.lit("love-01"))]).unique(maintain_order=True)
    home.run(once_more, tokens=labelled("{title} (film)"))
    assert home.vocabulary.tokens["token"].head(len(now)).to_list() == now.tokens["token"].to_list()
    third = home.embedding_run()
    assert third.data.params["refreshes"] == "2"
    assert third.data.tags["full_fit"] == first.info.run_id

    home.run(once_more, tokens=labelled("the film {title}"))
    assert home.embedding_run().info.run_id == third.info.run_id
    assert Comparison.load(home.value("comparison")).frame["reused"].all()
    champion = Champion.load(home.value("champion"))
    assert champion.version == "4"
    for uri, begin, end in (("models:/films@champion", "the film ", ""), ("models:/films/3", "", " (film)")):
        labels = load_model(uri, home.address).embedding.vocabulary.labels
        assert all(label.startswith(begin) and label.endswith(end) for label in labels if label != "Love-00")


def test_who_wants_none_of_it_gets_a_new_vocabulary_and_a_full_fit(
    home: Home, two_genres: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    home.run(two_genres)
    capsys.readouterr()
    home.run(tomorrow(two_genres), vocabulary={"keep": False}, refresh={"times": 0})
    assert "tokens. It begins anew: tokens have other integers than the last time" in capsys.readouterr().err
    counts = home.vocabulary.tokens["count"].to_numpy()
    assert (np.diff(counts.astype(int)) <= 0).all()
    assert GONE not in home.vocabulary.tokens["token"]
    assert "refreshed_from" not in home.embedding_run().data.tags


def test_other_settings_of_the_tokens_make_another_vocabulary(home: Home, two_genres: pl.DataFrame) -> None:
    home.run(two_genres)
    home.run(tomorrow(two_genres), vocabulary={"min_count": 2})
    assert GONE not in home.vocabulary.tokens["token"]
