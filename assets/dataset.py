"""The factory: one conf file becomes one group of assets, a chain that reads from the raw records to the comparison.

An asset here is names, metadata and one call into `pipeline`. What the call does, and how its value is kept, is not.
(The functions have no return annotation: Dagster takes one of a result with checks to mean that no value is kept.)
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets import checks, launchpad, metadata
from assets.resources import MLflow
from assets.storage import for_people, home, values
from pipeline import sources
from pipeline.comparison import Comparison
from pipeline.config import Dataset
from pipeline.embedding import Embedding
from pipeline.encoding import HELD_OUT, SparseExamples, encode
from pipeline.exports import Exports
from pipeline.fitting import Fits, fit_all, load_scores, vocabulary_size
from pipeline.gallery import draw_pages, write_report
from pipeline.methods import METHODS
from pipeline.pages.report import FILE as REPORT
from pipeline.provenance import code_version
from pipeline.splitting import assign, require_room, training_pairs
from pipeline.tokens import described
from pipeline.vocabulary import Vocabulary, build_vocabulary

_RECORDS = {"source"}
_TOKENS = {"example", "tokens", "split", "vocabulary", "task", "refit", "seed"}
_FITS = {"dimensions", "rivals", "baseline", "training", "task", "refit", "seed"}


def dataset_assets(conf: Dataset, conf_folder: Path) -> list[dg.AssetsDefinition]:
    """The assets of one dataset, in the order of the data's way, as a group that is named as the dataset.

    Args:
        conf: the dataset.
        conf_folder: where its file is, the start of relative paths in it.
    """
    dimensions = ", ".join(map(str, conf.dimensions or ("1", "2", "4 and so on")))
    rivals = [rival.kind for rival in conf.rivals]
    return [
        _raw_records(conf, conf_folder),
        _vocabulary(conf),
        _sparse_examples(conf),
        _fits(
            conf,
            "embedding",
            ["embedding"],
            launchpad.embedding_config,
            "The learned embedding: the weights between the sparse input and a hidden layer of D nodes are the "
            f"coordinates of the tokens. Trained with Lightning for D = {dimensions}, one MLflow run each; a fit that "
            "is unchanged is reused.",
            kinds={"pytorch", "lightning", "mlflow"},
            code=("models", "pca", "starts", "batches", "touched", "losses", "fitted_network", "training"),
        ),
        _fits(
            conf,
            "pca",
            ["pca"],
            launchpad.pca_config,
            "The baseline: centred PCA of the same D on the same sparse examples, one MLflow run each. It keeps what "
            "varies most; the learned embedding keeps what the task needs.",
            kinds={"scikitlearn", "mlflow"},
            code=("pca",),
        ),
        _fits(
            conf,
            "rivals",
            rivals,
            launchpad.rivals_config,
            f"What an embedding has to beat beside PCA: {', '.join(rivals) or 'nothing'}. Validation chooses the "
            "settings of each.",
            kinds={"numpy", "mlflow"},
            code=("rivals", *(METHODS[name].module for name in rivals)),
        ),
        _comparison(conf),
        _pages(conf),
        _report(conf),
        _exports(conf),
    ]


def _options(
    conf: Dataset, name: str, code: tuple[str, ...], settings: set[str], upstream: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What all assets share; a change of the named modules of `pipeline` or sections of conf makes an asset stale."""
    decides = json.dumps(conf.model_dump(mode="json", include=settings), sort_keys=True)
    return {
        "name": name,
        "key_prefix": conf.name,
        "check_specs": checks.specs(conf, name),
        "group_name": conf.name,
        "ins": {name: dg.AssetIn(key_prefix=conf.name) for name in upstream},
        "code_version": hashlib.sha256((code_version(*code) + decides).encode()).hexdigest()[:16],
    }


def _raw_records(conf: Dataset, conf_folder: Path) -> dg.AssetsDefinition:
    @dg.asset(
        description=f"The records as they come, one row each, as Parquet. {conf.description}",
        kinds={"polars", "parquet"},
        **_options(conf, "raw_records", ("sources",), _RECORDS),
    )
    def raw_records():
        with for_people(conf.file):
            records = sources.scan(conf, conf_folder)
            sums = sources.checksums(conf.source, conf_folder)
            n_records = records.select(pl.len()).collect(engine="streaming").item()
        return dg.MaterializeResult(
            value=records,
            data_version=_version(sums),
            metadata=metadata.of_records(records, n_records, sums, sources.roles(conf)),
            check_results=checks.of_records(n_records),
        )

    return raw_records


def _vocabulary(conf: Dataset) -> dg.AssetsDefinition:
    @dg.asset(
        description="The dictionary that gives every token an integer 0..V-1, the most frequent first, counted on the "
        "training examples only. Its fingerprint travels with everything that is made with it.",
        kinds={"polars", "parquet"},
        **_options(
            conf, "vocabulary", ("sources", "tokens", "lookup", "splitting", "vocabulary"), _TOKENS, ("raw_records",)
        ),
    )
    def vocabulary(context: dg.AssetExecutionContext, raw_records: pl.LazyFrame):
        with for_people(conf.file):
            assignment = assign(raw_records, conf)
            built = build_vocabulary(training_pairs(raw_records, conf, assignment), conf)
            require_room(conf, assignment.n_training, len(built))
        context.log.info(f"{conf.name}: the vocabulary has {len(built):,} tokens")
        before = values().previous(context.asset_key, Vocabulary)
        return dg.MaterializeResult(
            value=built,
            data_version=dg.DataVersion(built.fingerprint),
            metadata=metadata.of_vocabulary(built) | metadata.made_from(context),
            check_results=checks.of_vocabulary(built, before),
        )

    return vocabulary


def _sparse_examples(conf: Dataset) -> dg.AssetsDefinition:
    @dg.asset(
        description="Every example as a sparse list of integers, such as [1, 3, 999999], instead of a row of a million "
        "zeros and ones: a CSR matrix on disk, with each example's id, split and dense features.",
        kinds={"numpy", "polars"},
        **_options(
            conf,
            "sparse_examples",
            ("sources", "tokens", "lookup", "splitting", "arrays", "bags", "rows", "encoding"),
            _TOKENS,
            ("raw_records", "vocabulary"),
        ),
    )
    def sparse_examples(context: dg.AssetExecutionContext, raw_records: pl.LazyFrame, vocabulary: Vocabulary):
        with for_people(conf.file):
            examples = encode(raw_records, vocabulary, conf)
        context.log.info(f"{conf.name}: {len(examples):,} sparse examples, {len(examples.indices):,} stored entries")
        return dg.MaterializeResult(
            value=examples,
            data_version=dg.DataVersion(examples.fingerprint),
            metadata=metadata.of_examples(examples, vocabulary) | metadata.made_from(context),
            check_results=checks.of_examples(examples, raw_records, conf),
        )

    return sparse_examples


def _fits(
    conf: Dataset,
    name: str,
    methods: Sequence[str],
    config_of: Callable[[Dataset], type[dg.Config]],
    description: str,
    kinds: set[str],
    code: tuple[str, ...],
) -> dg.AssetsDefinition:
    """An asset that fits some methods, each fit a run of the dataset's experiment."""
    kind = config_of(conf)

    @dg.asset(
        description=description,
        kinds=kinds,
        **_options(conf, name, ("fitting", *code), _FITS, ("vocabulary", "sparse_examples")),
    )
    def fits(
        context: dg.AssetExecutionContext,
        config: kind,  # type: ignore[valid-type]
        mlflow: MLflow,
        vocabulary: Vocabulary,
        sparse_examples: SparseExamples,
    ):
        with for_people(conf.file):
            asked = launchpad.with_config(conf, name, config)
            tracker = mlflow.tracker(conf, context.instance)
            done = [
                fit
                for method in methods
                for fit in fit_all(
                    method,
                    asked,
                    vocabulary,
                    sparse_examples,
                    tracker,
                    tags=mlflow.tags(context),
                    force=launchpad.is_forced(config),
                    log=context.log,
                    checkpoints=home() / "checkpoints",
                ).fits
            ]
            checked = checks.of_fits(name, done, tracker)
        return dg.MaterializeResult(
            value=Fits(tuple(done)),
            data_version=_version([fit.run_id for fit in done]),
            metadata=metadata.of_fits(done, mlflow, vocabulary) | metadata.made_from(context),
            check_results=checked,
        )

    return fits


def _comparison(conf: Dataset) -> dg.AssetsDefinition:
    @dg.asset(
        description="Learned embedding, PCA and the rivals side by side, measured on the same held-out examples, which "
        "no fit has seen.",
        kinds={"polars", "mlflow"},
        **_options(
            conf,
            "comparison",
            ("comparison", "evaluation", "intervals"),
            _FITS,
            ("embedding", "pca", "rivals"),
        ),
    )
    def comparison(context: dg.AssetExecutionContext, mlflow: MLflow, embedding: Fits, pca: Fits, rivals: Fits):
        fits = [*embedding.fits, *pca.fits, *rivals.fits]
        with for_people(conf.file):
            tracker = mlflow.tracker(conf, context.instance)
            scores = {part: load_scores(tracker, fits, part) for part in HELD_OUT}
            table = Comparison.of(fits, vocabulary_size(tracker, fits[0]), conf.logs, scores)
        context.log.info(f"{conf.name}:\n{table.text()}")
        return dg.MaterializeResult(
            value=table,
            data_version=_version([fit.run_id for fit in fits]),
            metadata=metadata.of_comparison(table, mlflow) | metadata.made_from(context),
            check_results=checks.of_comparison(table),
        )

    return comparison


def _pages(conf: Dataset) -> dg.AssetsDefinition:
    @dg.asset(
        description="A page for each fit on which to look around in its latent space: search a token, see its weights "
        "and its neighbours, turn the space. One HTML file each, in the artifacts of its run; it works offline.",
        kinds={"plotly", "mlflow"},
        **_options(
            conf,
            "pages",
            ("effects", "gallery", "pages.latent_space", "projection"),
            _TOKENS,
            ("raw_records", "sparse_examples", "comparison"),
        ),
    )
    def pages(
        context: dg.AssetExecutionContext,
        mlflow: MLflow,
        raw_records: pl.LazyFrame,
        sparse_examples: SparseExamples,
        comparison: Comparison,
    ):
        with for_people(conf.file):
            tracker = mlflow.tracker(conf, context.instance)
            made = draw_pages(conf, comparison, described(raw_records, conf), sparse_examples, tracker, context.log)
        fits = comparison.swept
        return dg.MaterializeResult(
            value=Fits(fits),
            data_version=_version([fit.run_id for fit in fits]),
            metadata=metadata.of_pages(fits, made, mlflow) | metadata.made_from(context),
        )

    return pages


def _report(conf: Dataset) -> dg.AssetsDefinition:
    @dg.asset(
        description="One page that can be mailed: what the data is, what was learned, the contest with its verdicts, "
        "the pictures, the settings. It works offline.",
        kinds={"html", "mlflow"},
        **_options(
            conf,
            "report",
            ("gallery", "pages.report", "pictures", "projection"),
            _FITS,
            ("sparse_examples", "comparison", "pages"),
        ),
    )
    def report(
        context: dg.AssetExecutionContext,
        mlflow: MLflow,
        sparse_examples: SparseExamples,
        comparison: Comparison,
        pages: Fits,
    ):
        with for_people(conf.file):
            tracker = mlflow.tracker(conf, context.instance)
            links = {
                "The asset in Dagster": f"{mlflow.dagster_ui}/assets/{conf.name}/report",
                "The runs side by side in MLflow": mlflow.compare_link(comparison.fits),
            }
            made, shown = write_report(conf, comparison, sparse_examples, tracker, links)
        return dg.MaterializeResult(
            value=made,
            metadata=metadata.of_report(mlflow.artifact_link(shown, REPORT)) | metadata.made_from(context),
        )

    return report


def _exports(conf: Dataset) -> dg.AssetsDefinition:
    @dg.asset(
        description="The learned embedding that is best on validation, as other tools read it: TensorBoard's "
        "projector, word2vec's text format, a Parquet file for Embedding Atlas, usearch's index of nearest neighbours. "
        "The README says how to open each.",
        kinds={"parquet"},
        **_options(conf, "exports", ("exports", "neighbours", "projection"), _TOKENS, ("raw_records", "comparison")),
    )
    def exports(context: dg.AssetExecutionContext, mlflow: MLflow, raw_records: pl.LazyFrame, comparison: Comparison):
        best = comparison.best
        with for_people(conf.file):
            tracker = mlflow.tracker(conf, context.instance)
            learned = Embedding.load(tracker.file(best.run_id, "embedding.parquet"))
            about = learned.vocabulary.beside(described(raw_records, conf))
            made = Exports(learned, about)
        return dg.MaterializeResult(
            value=made, metadata=metadata.of_exports(best, made.neighbours) | metadata.made_from(context)
        )

    return exports


def _version(made_of: Any) -> dg.DataVersion:
    """A data version that changes with what a value is made of."""
    return dg.DataVersion(hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16])
