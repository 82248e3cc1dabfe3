"""The pages of a dataset, stored with their runs.

The interactive page of a fit is made again only if something on it has changed; the report is made every time.
"""

import datetime as dt
import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.training import INTERPOLATION
from pipeline.estimators import EMBEDDING, PCA, estimator, run_name
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.code_version import code_version
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.experiment.memory import size_of
from pipeline.experiment.parallel import in_parallel, processes_for
from pipeline.experiment.recorded import selected
from pipeline.experiment.replicas import REPLICAS_KEY
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import load_fitted
from pipeline.pictures.colours import coloured
from pipeline.pictures.projection import SHOWN, plane
from pipeline.views.fit_page import PAGE, FitPage, Sources
from pipeline.views.kept_epoch import kept_in_words
from pipeline.views.marginal_effects import telling_tokens
from pipeline.views.pages.report import TELLING, Report, Shown, report_page
from pipeline.vocabulary.vocabulary import Vocabulary


def draw_pages(
    conf: Dataset,
    comparison: Comparison,
    described: pl.DataFrame,
    examples: SparseExamples,
    tracker: Tracker,
    log: logging.Logger,
) -> dict[str, bool]:
    """Put an interactive page of the latent space into the run of each fit that has one.

    Args:
        conf: the dataset.
        comparison: of all fits; the best learned one gets a map of neighbourhoods too, which takes longest.
        described: what is shown with each token, as returned by `described_tokens.described`.
        examples: the examples on which the effects of tokens on a prediction are measured.
        tracker: of the runs.
        log: gets a line for each page.

    Returns:
        The name of each fit with a page, and whether the page is new.
    """
    swept, best = comparison.swept, comparison.best
    shown = Sources.of(best, conf, tracker).embedded
    vocabulary = shown.vocabulary
    about = vocabulary.beside(described)
    categories = coloured(about.head(SHOWN), shown.matrix[:SHOWN])
    baseline = {fit.dimension: fit for fit in swept if fit.method == PCA}
    made, waiting = {}, []
    for fit in sorted(swept, key=lambda fit: fit.run_id != best.run_id):  # the one that takes longest is begun first
        is_best = fit.run_id == best.run_id
        beside = None if conf.task.predicts_tokens or fit.method == PCA else baseline.get(fit.dimension)
        key = _key(fit, best, beside, vocabulary, about, tracker.tag(fit.run_id, REPLICAS_KEY))
        made[fit.name] = tracker.tag(fit.run_id, "page_key") != key
        if made[fit.name]:
            others = Sources.of(beside, conf, tracker) if beside else None
            sources = Sources.of(fit, conf, tracker)
            page = FitPage(conf, sources, is_best, others, about.head(SHOWN), categories, examples)
            waiting.append((fit, key, page))
    learned = conf.resolved(examples.n_training, len(vocabulary))
    processes = processes_for(estimator(EMBEDDING, learned), size_of(learned, examples), best.dimension)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / fit.run_id for fit, _, _ in waiting]
        pieces = [partial(page.draw, folder) for (_, _, page), folder in zip(waiting, folders, strict=True)]
        in_parallel(pieces, f"{conf.name}: pages", log, processes)
        for (fit, key, _), folder in zip(waiting, folders, strict=True):
            tracker.keep(fit.run_id, folder, {"page_key": key})
    return {fit.name: made[fit.name] for fit in swept}


def write_report(
    conf: Dataset,
    comparison: Comparison,
    examples: SparseExamples,
    tracker: Tracker,
    links: Mapping[str, str],
) -> tuple[Report, Fit]:
    """Make the report of a dataset and put it into the run of the fit that it shows, the best learned one.

    Args:
        conf: the dataset.
        comparison: of all fits; their pages have been drawn already.
        examples: the sparse examples of the dataset.
        tracker: of the runs.
        links: addresses by name, for the end of the report.

    Returns:
        The report, and the fit that it shows.
    """
    best = comparison.best
    beside = {fit.name: fit for fit in comparison.fits}.get(run_name(PCA, best.dimension))
    folder = tracker.folder(best.run_id)
    embedding = Sources.of(best, conf, tracker).embedded
    pictures = {f"{best.name}: names stand where there is room, those of frequent tokens first": folder / "map.png"}
    if beside:
        pictures[f"{beside.name}, for comparison"] = tracker.file(beside.run_id, "map.png")
    pictures[f"{best.name}: how far a token lies from the origin, against its count"] = folder / "norms.png"
    if (folder / "losses.png").exists():
        pictures[f"{best.name}: the losses by epoch. {_kept(conf, comparison, tracker)}"] = folder / "losses.png"
    shown = Shown(
        best.name,
        embedding,
        plane(embedding),
        (folder / PAGE).read_text(encoding="utf-8"),
        pictures,
        Sources.of(beside, conf, tracker).embedded if beside else None,
        None
        if conf.task.predicts_tokens
        else telling_tokens(load_fitted(folder), examples, conf.task, conf.seed, SHOWN, TELLING),
    )
    size = len(embedding.vocabulary)
    with tempfile.TemporaryDirectory() as name:
        sweep, narrow, made = (Path(name) / part for part in ("sweep.png", "narrow.png", "report"))
        comparison.draw_sweep(sweep)
        comparison.draw_sweep(narrow, is_narrow=True)
        report = report_page(
            conf.resolved(examples.n_training, size),
            examples,
            comparison,
            (sweep, narrow) if comparison.metrics else None,
            shown,
            links,
            f"Made {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC by Embedding Pipeline {version('embedding-pipeline')}.",
        )
        made.mkdir()
        report.save(made)
        tracker.keep(best.run_id, made, {})
    return report, best


def _kept(conf: Dataset, comparison: Comparison, tracker: Tracker) -> str:
    """Why the fit that the report shows keeps the epochs that it keeps."""
    run_id, metric = comparison.best.run_id, next(iter(comparison.metrics), conf.task.metrics[0].name)
    kept, shares = (selected(tracker.params(run_id), name) for name in ("epochs", INTERPOLATION))
    return kept_in_words(kept, tracker.history(run_id, "validation_loss"), conf.training.patience, metric, shares)


def _key(
    fit: Fit, best: Fit, beside: Fit | None, vocabulary: Vocabulary, about: pl.DataFrame, replicas: str | None
) -> str:
    shown = [vocabulary.fingerprint_with_labels, about.columns, replicas]
    decides = [fit.run_id, best.run_id, beside and beside.run_id, *shown, code_version(__name__)]
    rows = about.hash_rows(seed=0).to_numpy().tobytes() if about.width else b""
    return hashlib.sha256(json.dumps(decides).encode() + rows).hexdigest()[:16]
