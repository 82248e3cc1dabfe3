"""Replicas of finished fits: the same learned again from halves of the examples, to tell how far nearest tokens hold.

A run keeps what its replicas have shown beside its embedding, so that a fit is not repeated when `replicas` is changed.
"""

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.config.size import Size
from pipeline.embedding import Embedding, Fitted, Problem, Watch
from pipeline.errors import PipelineError
from pipeline.estimators import EMBEDDING, PCA, estimator, modules
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.cache_key import key_of
from pipeline.experiment.code_version import code_version
from pipeline.experiment.cross_fitting import final_training, typical
from pipeline.experiment.fits import OF_REPLICAS, REPLICA_SECONDS, STABILITY, Fit
from pipeline.experiment.memory import size_of
from pipeline.experiment.parallel import in_parallel, on_one_thread, processes_for
from pipeline.experiment.refresh import TIMES
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE
from pipeline.pictures.projection import SHOWN
from pipeline.similarity import replica_places
from pipeline.similarity.nearest import nearest_tokens
from pipeline.similarity.stability import Stability, by_chance, stability_of
from pipeline.vocabulary.vocabulary import Vocabulary

EPOCHS = 3
"""A replica learns for a third of the epochs of its fit. It has come as far by then: two halves agree on no fewer
tokens than after all epochs, and the order of the tokens is the same."""
SEEN = 2
"""Up to this D a replica learns for all epochs: the places themselves are looked at, and they have not come as far."""
REPLICAS_KEY = "replicas_key"
"""Tag of a run: what decides its replicas."""
_SILENT = logging.getLogger(f"{__name__}.silent")
_SILENT.disabled = True  # lines of progress of each replica would be too many; its bar is enough


def replicated(
    conf: Dataset,
    fits: Sequence[Fit],
    vocabulary: Vocabulary,
    examples: SparseExamples,
    tracker: Tracker,
    log: logging.Logger | None = None,
) -> list[Fit]:
    """The fits, now with the metrics `stability` and `replica_seconds` where replicas of them were fitted.

    Replicas are fitted of each learned embedding, and of PCA at the same D; they are kept with the run, and reused.

    Args:
        conf: the dataset.
        fits: finished fits.
        vocabulary: of the examples.
        examples: all of them, with their splits.
        tracker: the dataset's MLflow experiment.
        log: gets a line for each fit.
    """
    log = log or logging.getLogger(__name__)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    learned = {fit.dimension for fit in fits if fit.method == EMBEDDING}
    done = []
    for fit in fits:
        wanted = fit.method == EMBEDDING or (fit.method == PCA and fit.dimension in learned)
        of_replicas = _of(fit, conf, examples, tracker, log) if conf.replicas and wanted else {}
        done.append(replace(fit, metrics={**fit.metrics, **of_replicas}))
    return done


def _of(fit: Fit, conf: Dataset, examples: SparseExamples, tracker: Tracker, log: logging.Logger) -> dict[str, float]:
    """The metrics of a fit's replicas, which are fitted unless the run has them."""
    run = tracker.client.get_run(fit.run_id)
    key = _key(fit, conf)
    if run.data.tags.get(REPLICAS_KEY) == key:
        return {name: run.data.metrics[name] for name in OF_REPLICAS if name in run.data.metrics}
    training = final_training(examples, conf)
    if fit.dimension >= len(training) // 2:
        log.info(f"{conf.name}: {fit.name} has no replicas: half of {len(training)} examples have no room for its D")
        return {}
    start = time.perf_counter()
    try:
        stability, where = _fitted(fit, conf, training, size_of(conf, examples), tracker, run.data.params)
    except PipelineError as error:
        log.warning(f"{conf.name}: {fit.name} has no replicas: {error}")
        return {}
    metrics = {STABILITY: stability.median, REPLICA_SECONDS: time.perf_counter() - start}
    with tempfile.TemporaryDirectory() as folder:
        learned = Embedding.load(tracker.file(fit.run_id, EMBEDDING_FILE))
        replace(learned, stability=stability).save(Path(folder) / EMBEDDING_FILE)
        replica_places.save(where, Path(folder))
        for name, value in metrics.items():
            tracker.client.log_metric(fit.run_id, name, value)
        tracker.keep(fit.run_id, Path(folder), {REPLICAS_KEY: key})
    log.info(
        f"{conf.name}: {fit.name}, {stability.replicas} replicas in {metrics[REPLICA_SECONDS]:.1f} s: two halves of "
        f"the examples agree on {stability.median:.0%} of a token's nearest, in the median."
        f"{by_chance(len(learned.vocabulary))}"
    )
    return metrics


def _key(fit: Fit, conf: Dataset) -> str:
    """What decides the replicas of a fit: the fit, their number, and the code."""
    return key_of([fit.run_id, conf.replicas, code_version(__name__, *modules(fit.method, conf))])


def _fitted(
    fit: Fit,
    conf: Dataset,
    training: ExampleSet,
    size: Size,
    tracker: Tracker,
    params: Mapping[str, str],
) -> tuple[Stability, Array]:
    """The stability of a fit's tokens, and the places of those that people look at in each replica."""
    n = conf.replicas or 0
    learned = Embedding.load(tracker.file(fit.run_id, EMBEDDING_FILE))
    chosen = _chosen(params)
    if "epochs" in chosen:
        chosen.pop("max_epochs", None)  # the shorter training has its own
        if TIMES in params and chosen["epochs"]:  # a refresh goes on from what was learned, but a replica begins anew
            chosen["epochs"] = conf.training.max_epochs
        chosen["epochs"] = -(-chosen["epochs"] // (1 if fit.dimension <= SEEN else EPOCHS))
        shorter = conf.training.model_copy(update={"max_epochs": chosen["epochs"], "workers": 1})
        conf = conf.model_copy(update={"training": shorter})
    replicas = _Replicas(fit, conf, chosen, learned, training)
    how = estimator(fit.method, conf), size, fit.dimension
    with on_one_thread(*how):
        done = in_parallel([partial(replicas.fitted, i) for i in range(n)], "", _SILENT, processes_for(*how))
    nearest, where = zip(*done, strict=True)
    return stability_of(nearest_tokens(learned.matrix, learned.counts), list(nearest)), np.array(where)


@dataclass(frozen=True)
class _Replicas:
    """What the replicas of a fit share."""

    fit: Fit
    conf: Dataset
    chosen: Mapping[str, Any]
    learned: Embedding
    training: ExampleSet

    def fitted(self, i: int, log: logging.Logger, shows_progress: bool) -> tuple[Array, Array]:
        """Fit replica i, and return each token's nearest tokens in it and the places of those that people look at."""
        fit, conf, learned, rows = self.fit, self.conf, self.learned, half(self.training, i, self.conf.seed)
        name = f"{conf.name}: {fit.name}, replica {i + 1} of {conf.replicas}"
        watch = Watch(name, log, shows_progress=shows_progress)
        own = conf.model_copy(update={"seed": (conf.seed + 1 + i) % 2**32})
        problem = Problem(rows, learned.vocabulary, own, fit.dimension, None, self.chosen, watch)
        fitted: Fitted = estimator(fit.method, own).fit(problem)
        matrix, counts = fitted.embedding.matrix, rows.inputs.counts
        where = replica_places.turned_onto(learned.matrix, matrix, counts > 0)[learned.vocabulary.by_count[:SHOWN]]
        return nearest_tokens(matrix, counts), where


def half(rows: ExampleSet, i: int, seed: int) -> ExampleSet:
    """A random half of some examples: halves 0 and 1 share no example and no group, nor do 2 and 3, and so on."""
    random = np.random.default_rng([seed, i // 2])
    if rows.groups is None:
        order = random.permutation(len(rows))
        middle = len(rows) // 2
        return rows.cut(np.sort(order[middle:] if i % 2 else order[:middle]))
    different, of_example = np.unique(rows.groups, return_inverse=True)
    is_second = random.permutation(np.arange(len(different)) % 2)
    return rows.cut(np.flatnonzero(is_second[of_example] == i % 2))


def _chosen(params: Mapping[str, str]) -> dict[str, Any]:
    """What validation chose for a run, from its settings there; of several folds the typical choice."""
    selected = {name.removeprefix("selected."): value for name, value in params.items() if name.startswith("selected.")}
    of_folds = {name: [_plain(one) for one in value.split(", ")] for name, value in selected.items()}
    n = max(map(len, of_folds.values()), default=0)
    return typical([{name: values[i] for name, values in of_folds.items()} for i in range(n)]) if n else {}


def _plain(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
