"""The assets after the fits: their comparison, pages, report, exports.

An asset here has names, metadata and one call into `pipeline`. What the call does, and how its value is kept, does not
belong here.
"""

from typing import Any

import dagster as dg
import polars as pl

from assets import checks, metadata
from assets.declaration import FITS, TOKENS, asset, data_version
from assets.fits_metadata import of_pages
from assets.resources import MLflow
from assets.storage import for_people
from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fits
from pipeline.experiment.recorded import load_scores, split_in_words, vocabulary_size
from pipeline.experiment.shared_view import share_view
from pipeline.inference.described_tokens import described
from pipeline.inference.saved_fit import EMBEDDING_FILE
from pipeline.records.records import Records
from pipeline.views import tables
from pipeline.views.answer import answer
from pipeline.views.exports import Exports
from pipeline.views.pages.report import FILE as REPORT
from pipeline.views.publish import draw_pages, write_report


def comparison_asset(conf: Dataset) -> dg.AssetsDefinition:
    """All fits side by side."""

    @asset(
        conf,
        "comparison",
        description="Learned embedding, PCA and the other baselines side by side, measured on the same held-out "
        "examples, which no fit has seen.",
        kinds={"polars", "mlflow"},
        settings=FITS,
        upstream=("stability", "other_baselines"),
    )
    def comparison(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        stability: Fits,
        other_baselines: Fits,
    ) -> dg.MaterializeResult[Any]:
        fits = [*stability.fits, *other_baselines.fits]
        with for_people(conf.file):
            tracker = embedding_mlflow.tracker(conf, context.instance)
            scores: dict[str, list[pl.DataFrame]] = {part: load_scores(tracker, fits, part) for part in HELD_OUT}
            split = split_in_words(tracker, fits, conf)
            size = vocabulary_size(tracker, fits[0])
            table = Comparison.of(fits, size, conf.task.resolved(size), scores, conf.weight, split)
            share_view(tracker, table)
            tracker.tell(answer(table))
        context.log.info(tables.text(table))
        return dg.MaterializeResult(
            value=table,
            data_version=data_version([fit.run_id for fit in fits]),
            metadata=metadata.of_comparison(table, embedding_mlflow) | metadata.made_from(context),
            check_results=checks.of_comparison(table),
        )

    return comparison


def pages_asset(conf: Dataset) -> dg.AssetsDefinition:
    """A page for each latent space."""

    @asset(
        conf,
        "pages",
        description="A page for each fit on which to look around in its latent space: search a token, see its weights "
        "and its neighbours, turn the space. One HTML file each, in the artifacts of its run; it works offline.",
        kinds={"html", "mlflow"},
        settings=TOKENS,
        upstream=("raw_records", "sparse_examples", "comparison"),
    )
    def pages(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        raw_records: Records,
        sparse_examples: SparseExamples,
        comparison: Comparison,
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            tracker = embedding_mlflow.tracker(conf, context.instance)
            made = draw_pages(
                conf, comparison, described(raw_records.frame, conf), sparse_examples, tracker, context.log
            )
        fits = comparison.swept
        return dg.MaterializeResult(
            value=Fits(fits),
            data_version=data_version([fit.run_id for fit in fits]),
            metadata=of_pages(fits, made, embedding_mlflow) | metadata.made_from(context),
        )

    return pages


def report_asset(conf: Dataset) -> dg.AssetsDefinition:
    """The report: one page that can be mailed."""

    @asset(
        conf,
        "report",
        description="One page that can be mailed: what the data is, what was learned, the contest with its verdicts, "
        "the pictures, the settings. It works offline.",
        kinds={"html", "mlflow"},
        settings=FITS,
        upstream=("sparse_examples", "comparison", "pages"),
    )
    def report(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        sparse_examples: SparseExamples,
        comparison: Comparison,
        pages: Fits,
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            tracker = embedding_mlflow.tracker(conf, context.instance)
            links = {
                "The asset in Dagster": f"{embedding_mlflow.dagster_ui}/assets/{conf.name}/report",
                "The runs in MLflow, the best first": embedding_mlflow.runs_link(comparison.fits[0].experiment_id),
            }
            made, shown = write_report(conf, comparison, sparse_examples, tracker, links)
        return dg.MaterializeResult(
            value=made,
            metadata=metadata.of_report(embedding_mlflow.artifact_link(shown, REPORT)) | metadata.made_from(context),
        )

    return report


def exports_asset(conf: Dataset) -> dg.AssetsDefinition:
    """The best embedding in the formats of other tools."""

    @asset(
        conf,
        "exports",
        description="The learned embedding that is best on validation, as other tools read it: TensorBoard's "
        "projector, word2vec's text format, a Parquet file for Embedding Atlas, usearch's index of nearest neighbours. "
        "The README says how to open each.",
        kinds={"parquet"},
        settings=TOKENS,
        upstream=("raw_records", "comparison"),
    )
    def exports(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        raw_records: Records,
        comparison: Comparison,
    ) -> dg.MaterializeResult[Any]:
        best = comparison.best
        with for_people(conf.file):
            tracker = embedding_mlflow.tracker(conf, context.instance)
            learned = Embedding.load(tracker.file(best.run_id, EMBEDDING_FILE))
            about = learned.vocabulary.beside(described(raw_records.frame, conf))
            made = Exports(learned, about)
        return dg.MaterializeResult(
            value=made, metadata=metadata.of_exports(best, made.neighbours) | metadata.made_from(context)
        )

    return exports
