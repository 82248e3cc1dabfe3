import json
import statistics
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.baselines.ease import Ease
from pipeline.baselines.pca import Pca
from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.embedding import Embedding, Problem
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import measure
from pipeline.experiment.fits import Fits
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.recorded import load_scores
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import load_fitted
from pipeline.network.learned import LearnedEmbedding
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from

RANKING = {"recall_at_20", "recall_at_50", "ndcg_at_20", "ndcg_at_100"}
NUMBERS = {"rmse", "mae", "r2", "rmse_log", "r2_log"}


@pytest.mark.parametrize(
    ("data", "name", "method", "names"),
    [
        ("two_genres", "movies", "embedding", RANKING),
        ("two_genres", "movies", "pca", RANKING),
        ("two_genres", "movies", "popularity", RANKING),
        ("priced_words", "homes", "embedding", NUMBERS),
        ("priced_words", "homes", "pca", NUMBERS),
        ("priced_words", "homes", "mean", NUMBERS),
    ],
)
def test_every_method_leaves_what_the_contract_says(
    data: str,
    name: str,
    method: str,
    names: set[str],
    request: pytest.FixtureRequest,
    tracker: Tracker,
) -> None:
    records, conf = request.getfixturevalue(data), request.getfixturevalue(name)
    vocabulary, examples = encoded_from(records, conf)
    (fit,) = fit_all([method], conf, vocabulary, examples, tracker, tags={"dagster.run_id": "d"}).fits
    run = tracker.client.get_run(fit.run_id)
    dimension = 2 if method in ("embedding", "pca") else 1

    assert run.info.status == "FINISHED"
    assert {"dataset": conf.name, "method": method, "dagster.run_id": "d"}.items() <= run.data.tags.items()
    assert "mlflow.parentRunId" not in run.data.tags
    assert run.data.params["dimension"] == str(dimension)
    assert run.data.params["seed"] == "1"
    assert ("training.learning_rate" in run.data.params) == (method == "embedding")
    assert ("training.batch_size" in run.data.params) == (method == "embedding")  # resolved: the file has none
    measured = {f"{part}_{metric}" for part in ("validation", "test") for metric in names}
    expected = {f"{name}{end}" for name in measured for end in ("", "_low", "_high")} | {
        "fit_seconds",
        "elapsed_seconds",
    }
    losses = {"train_loss", "validation_loss"} if method == "embedding" else set()
    of_the_fit = {name for name in run.data.metrics if not name.startswith("system/")}  # only where it took seconds
    assert of_the_fit == expected | losses
    assert ("selected.epochs" in run.data.params) == (method == "embedding")

    folder = tracker.folder(fit.run_id)
    frame = pl.read_parquet(folder / "embedding.parquet")
    assert frame.columns == ["token", "label", "count", "vector"]
    assert frame.schema["vector"] == pl.Array(pl.Float32, dimension)
    assert frame["token"].to_list() == vocabulary.tokens["token"].to_list()
    assert Embedding.load(folder / "embedding.parquet").provenance["mlflow_run"] == fit.run_id

    again = load_fitted(folder)
    rows = examples.held_out("test")
    per_example = pl.read_parquet(folder / "test_examples.parquet")
    assert per_example.height == len(rows)
    if names is NUMBERS:
        assert again.score(rows.inputs.csr(), rows.dense) == pytest.approx(
            per_example["predicted"].to_numpy(), rel=1e-5
        )
    else:
        assert per_example["recall_at_20"].mean() == pytest.approx(fit.metrics["test_recall_at_20"])
        assert again.score(rows.inputs.csr(), rows.dense).shape == (len(rows), len(vocabulary))


def test_an_unchanged_fit_is_reused_and_a_changed_one_is_not(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    conf = movies.model_copy(update={"seed": 11})
    vocabulary, examples = encoded_from(two_genres, conf)

    def fit(conf: Dataset, **options: bool) -> tuple[str, bool]:
        (done,) = fit_all(["pca"], conf, vocabulary, examples, tracker, **options).fits
        return done.run_id, done.reused

    def current() -> list[str]:
        return [run.info.run_id for run in tracker.client.search_runs([tracker.experiment_id], "tags.current = 'yes'")]

    first, reused = fit(conf)
    assert not reused
    assert fit(conf) == (first, True)
    assert fit(conf.model_copy(update={"description": "Said otherwise."})) == (first, True)
    assert current() == [first]
    forced, reused = fit(conf, force=True)
    assert (forced != first, reused) == (True, False)
    assert fit(conf) == (forced, True)
    assert current() == [forced]
    for pca in (Pca(dimensions=2, solver="covariance_eigh"), Pca(dimensions=3)):
        assert not fit(conf.model_copy(update={"baselines": (pca,)}))[1]
    assert not fit(conf.model_copy(update={"refit": True}))[1]


def test_pictures_of_a_reused_fit_are_drawn_again_by_code_that_has_changed(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    (fit,) = fit_all(["embedding"], movies, vocabulary, examples, tracker).fits
    pictures = ("map.png", "norms.png", "losses.png")
    before = [tracker.file(fit.run_id, name).read_bytes() for name in pictures]

    def again() -> list[bytes]:
        (done,) = fit_all(["embedding"], movies, vocabulary, examples, tracker).fits
        assert (done.run_id, done.reused) == (fit.run_id, True)
        return [tracker.file(fit.run_id, name).read_bytes() for name in pictures]

    monkeypatch.setattr("pipeline.pictures.figures.BLUE", "#ff0000")
    assert again() == before
    monkeypatch.setattr("pipeline.experiment.artifacts.pictures_key", lambda vocabulary: "another")
    assert all(new != old for new, old in zip(again(), before, strict=True))
    monkeypatch.setattr("pipeline.pictures.figures.BLUE", "#00ff00")
    now = again()
    monkeypatch.setattr("pipeline.pictures.figures.BLUE", "#0000ff")
    assert again() == now


def test_a_fit_whose_labels_have_changed_is_reused_and_shows_the_new_ones(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    before, examples = encoded_from(two_genres, movies)
    (fit,) = fit_all(["embedding"], movies, before, examples, tracker).fits
    conf = movies.model_copy(update={"tokens": (movies.tokens[0].model_copy(update={"label": "the film {title}"}),)})
    first = Embedding.load(tracker.file(fit.run_id, "embedding.parquet"))
    drawn = tracker.file(fit.run_id, "map.png").read_bytes()
    vocabulary, examples = encoded_from(two_genres, conf)
    assert vocabulary.labels == [f"the film {label}" for label in before.labels]
    (again,) = fit_all(["embedding"], conf, vocabulary, examples, tracker).fits
    assert (again.run_id, again.reused) == (fit.run_id, True)
    now = Embedding.load(tracker.file(fit.run_id, "embedding.parquet"))
    assert now.vocabulary.labels == vocabulary.labels
    assert (now.matrix == first.matrix).all()
    assert now.provenance == first.provenance
    assert tracker.file(fit.run_id, "map.png").read_bytes() != drawn


@pytest.mark.parametrize("method", ["embedding", "ease"])
def test_in_folds_every_example_is_evaluated_once_and_the_fit_on_all_of_them_is_kept(
    method: str, two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    baselines = (Ease(regularisation=(3.0, 30.0)),)
    conf = movies.model_copy(update={"split": Split(folds=3), "refit": True, "baselines": baselines})
    vocabulary, examples = encoded_from(two_genres, conf)
    (fit,) = fit_all([method], conf, vocabulary, examples, tracker).fits
    for part in ("validation", "test"):
        (scores,) = load_scores(tracker, [fit], part)
        assert sorted(scores["example"]) == examples.frame["example"].to_list()
        assert scores["ndcg_at_20"].mean() == pytest.approx(fit.metrics[f"{part}_ndcg_at_20"])
        for fold in range(3):
            assert scores.filter(fold=fold)["example"].to_list() == list(examples.held_out(part, fold).ids)
    run = tracker.client.get_run(fit.run_id)
    chosen = run.data.params["selected.epochs" if method == "embedding" else "selected.regularisation"].split(", ")
    assert len(chosen) == 3
    if method == "embedding":  # a loss for each epoch of the longest fold; the refits have their own metric
        history = tracker.client.get_metric_history(fit.run_id, "validation_loss")
        refitted = tracker.client.get_metric_history(fit.run_id, "refit_train_loss")
        assert [metric.step for metric in history] == list(range(1, len(history) + 1))
        assert len(refitted) == max(map(int, chosen)) <= len(history)
    kept = load_fitted(tracker.folder(fit.run_id))
    if method == "ease":
        assert kept.weights["indptr"][-1] == len(examples.indices)


def test_other_seeds_tell_the_chance_of_a_training_and_change_nothing_else(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    """By hand: the same network with the next seed, judged on the same examples."""
    vocabulary, examples = encoded_from(two_genres, movies)
    two, one = (movies.model_copy(update={"seeds": seeds}) for seeds in (2, 1))
    (fit,) = fit_all(["embedding"], two, vocabulary, examples, tracker).fits
    (alone,) = fit_all(["embedding"], one, vocabulary, examples, tracker).fits
    (scores,), (scores_alone,) = (load_scores(tracker, [of], "test") for of in (fit, alone))
    assert scores.equals(scores_alone)
    assert not any(name.startswith("seed") for name in alone.metrics)
    conf = two.resolved(examples.n_training, len(vocabulary))
    epochs = int(tracker.param(fit.run_id, "selected.epochs"))
    temperature, decay = (
        float(tracker.param(fit.run_id, f"selected.{one}")) for one in ("temperature", "weight_decay")
    )
    other = LearnedEmbedding(conf).fit(
        Problem(
            examples.training(),
            vocabulary,
            conf.model_copy(update={"seed": conf.seed + 1}),
            2,
            chosen={"epochs": epochs, "temperature": temperature, "weight_decay": decay},
        )
    )
    theirs = measure(conf.task, conf.task.evaluate(other, examples.held_out("test")))["recall_at_20"]
    both = [fit.metrics["test_recall_at_20"], theirs]
    assert fit.metrics["seed_sd_recall_at_20"] == pytest.approx(statistics.stdev(both))
    assert fit.metrics["seed_freedom"] == 1
    assert fit.metrics["seed_seconds"] > 0


def test_a_refit_learns_from_validation_too_before_the_test(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    conf = movies.model_copy(update={"refit": True})
    vocabulary, examples = encoded_from(two_genres, conf)
    (fit,) = fit_all(["pca"], conf, vocabulary, examples, tracker).fits
    (scores,) = load_scores(tracker, [fit], "test")
    refitted = Pca().fit(Problem(examples.training(refit=True), vocabulary, conf, 2))
    assert scores.equals(conf.task.evaluate(refitted, examples.held_out("test")))
    (validated,) = load_scores(tracker, [fit], "validation")
    first = Pca().fit(Problem(examples.training(), vocabulary, conf, 2))
    assert validated.equals(conf.task.evaluate(first, examples.held_out("validation")))


def test_where_training_examples_validate_a_method_learns_from_all_of_them_before_the_test(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    conf = movies.model_copy(update={"split": Split(validation=0, test=0.25)})
    vocabulary, examples = encoded_from(two_genres, conf)
    (fit,) = fit_all(["pca"], conf, vocabulary, examples, tracker).fits
    (tested,), (validated,) = (load_scores(tracker, [fit], part) for part in ("test", "validation"))
    for scores, part, of_all in ((tested, "test", True), (validated, "validation", False)):
        by_hand = Pca().fit(Problem(examples.training(refit=of_all), vocabulary, conf, 2))
        assert scores.equals(conf.task.evaluate(by_hand, examples.held_out(part)))


def test_other_inputs_are_another_fit(two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker) -> None:
    conf = movies.model_copy(update={"seed": 12})
    for records, reused in ((two_genres, False), (two_genres, True), (two_genres[:-1], False)):
        (fit,) = fit_all(["popularity"], conf, *encoded_from(records, conf), tracker).fits
        assert fit.reused == reused


def test_a_d_larger_than_the_data_allows_is_refused_before_anything_runs(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    conf = movies.model_copy(update={"dimensions": (2, 40), "baselines": (Pca(),), "seed": 13})
    runs = len(tracker.client.search_runs([tracker.experiment_id]))
    with pytest.raises(PipelineError, match=r"planted_movies.yaml, dimensions: D=40 .* at most 39"):
        fit_all(["pca"], conf, *encoded_from(two_genres, conf), tracker)
    assert len(tracker.client.search_runs([tracker.experiment_id])) == runs


def test_examples_with_nothing_to_predict_are_refused(movies: Dataset, tracker: Tracker) -> None:
    """Every user watched one movie: nothing can go in and leave something to predict."""
    records = pl.DataFrame(
        {"user": [f"u{i}" for i in range(50)], "movie": [f"m{i % 5}" for i in range(50)], "title": "t"}
    )
    with pytest.raises(PipelineError, match="none of the 10 validation examples has two known tokens"):
        fit_all(["popularity"], movies, *encoded_from(records, movies), tracker)


@pytest.mark.parametrize("split", [Split(), Split(folds=3)])
def test_examples_that_are_all_the_same_are_refused(split: Split, movies: Dataset, tracker: Tracker) -> None:
    records = pl.DataFrame({"user": [f"u{i // 4:02d}" for i in range(160)], "movie": list("abcd") * 40, "title": "t"})
    conf = movies.model_copy(update={"split": split})
    for method in ("embedding", "pca", "popularity"):
        with pytest.raises(
            PipelineError, match=r"planted_movies.yaml, tokens: all \d+ training examples have the same"
        ):
            fit_all([method], conf, *encoded_from(records, conf), tracker)


def test_examples_of_another_vocabulary_are_refused(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker
) -> None:
    _, examples = encoded_from(two_genres, movies)
    with pytest.raises(PipelineError, match="made with the vocabulary"):
        fit_all(["pca"], movies, Vocabulary.of({"a": 1}), examples, tracker)


def test_a_fit_that_raises_ends_failed_and_leaves_the_others(
    two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("pipeline.baselines.pca.Pca.fit", broken)
    conf = movies.model_copy(update={"seed": 14})
    with pytest.raises(MemoryError):
        fit_all(["pca"], conf, *encoded_from(two_genres, conf), tracker)
    (run, *_) = tracker.client.search_runs([tracker.experiment_id], "attributes.status = 'FAILED'")
    assert run.data.tags["error"] == "MemoryError: no room"


def test_fits_are_written_and_read(tmp_path: Path, two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker) -> None:
    fits = fit_all(["popularity"], movies, *encoded_from(two_genres, movies), tracker)
    fits.save(tmp_path)
    assert Fits.load(tmp_path) == fits
    assert json.loads((tmp_path / "fits.json").read_text())[0]["method"] == "popularity"


def test_weights_are_numbers_only(two_genres: pl.DataFrame, movies: Dataset, tracker: Tracker) -> None:
    """No pickles among the artifacts: the file opens with pickling forbidden."""
    (fit,) = fit_all(["pca"], movies, *encoded_from(two_genres, movies), tracker).fits
    with np.load(tracker.folder(fit.run_id) / "weights.npz", allow_pickle=False) as weights:
        assert {name: weights[name].shape for name in weights.files} == {"mean": (40,), "components": (2, 40)}
