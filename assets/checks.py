"""The checks that run each time an asset is made: its frames follow their schemas, and its value makes sense.

A check that fails as an error means that the asset is wrong; one that warns means that a person should look. Each check
runs in the step of its asset, on the value at hand; only the embeddings of fits are read from their runs.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import dagster as dg
import dataframely as dy
import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.estimators import EMBEDDING, PCA
from pipeline.examples.sparse_examples import TRAIN, SparseExamples
from pipeline.experiment.champion import Champion
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import STABILITY, Fit
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE
from pipeline.records.records import Records
from pipeline.schemas import Examples, Tokens
from pipeline.views.tables import verdict_in_words
from pipeline.vocabulary.drift import drift
from pipeline.vocabulary.vocabulary import Vocabulary

DRIFT_WARNS = 0.1
"""Total variation distance to the vocabulary before; a larger drift is worth a look."""
MOST_EMPTY = 0.5
"""Share of examples without a known token, above which an embedding has little to say."""
MOST_OF_ALL = 0.1
"""Share of the weight of all training examples, above which one drowns the others, if it is also far above the mean."""
FAR_ABOVE = 10
"""Times the mean weight of an example."""
STABLE = 0.2
"""Median stability below which neighbours are not to be relied on."""

_DESCRIPTIONS = {
    "raw_records": {
        "every_row_counted": "Each row of the source is used, in quarantine, left out by a filter, or merged with its "
        "double; one of these, and only one.",
        "few_bad_records": "Of the rows no more are in quarantine than `source.max_bad_share` allows.",
    },
    "vocabulary": {
        "schema": "Each row has a token, its label and a count, and no token stands there twice.",
        "drift": f"The shares of the tokens are within {DRIFT_WARNS:.0%} (total variation) of the vocabulary before.",
    },
    "sparse_examples": {
        "schema": "Each example has one id, and one split or fold.",
        "no_token_lost": "Every token of the raw records is stored, or counted as left out.",
        "tokens_known": f"At least {1 - MOST_EMPTY:.0%} of the examples have a token of the vocabulary, unless none "
        "of the tokens of the raw records was left out.",
        "no_example_drowns_others": f"No training example has more than {MOST_OF_ALL:.0%} of the weight of all, and "
        f"{FAR_ABOVE} times the mean; without weights this passes.",
    },
    "embedding": {
        "finite": "Every coordinate of every token is a number.",
        "loss_went_down": "The training loss of each fit is lower at the end than after the first epoch.",
    },
    "pca": {"finite": "Every coordinate of every token is a number."},
    "other_baselines": {"finite": "Every coordinate of every token is a number."},
    "stability": {
        "neighbours_hold": "In the most stable learned embedding, two halves of the examples agree on "
        f"{STABLE:.0%} of the nearest of half of the tokens, or more; without replicas this passes.",
    },
    "champion": {
        "interval_covers": "The interval around a predicted number covers the share of test examples that it says, "
        "within three standard errors; a champion without an interval passes.",
    },
    "comparison": {
        "learned_beats_pca": "At each D the learned embedding is shown to be better than PCA, by the primary "
        "metric on the held-out examples.",
    },
}
_WARNS = {
    "drift",
    "tokens_known",
    "no_example_drowns_others",
    "loss_went_down",
    "learned_beats_pca",
    "interval_covers",
    "neighbours_hold",
}


def specs(conf: Dataset, asset: str) -> list[dg.AssetCheckSpec]:
    """The checks of one asset of a dataset."""
    key = dg.AssetKey([conf.name, asset])
    return [dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _DESCRIPTIONS.get(asset, {}).items()]


def of_records(records: Records, conf: Dataset) -> list[dg.AssetCheckResult]:
    """Check the raw records; the columns that conf names were checked while reading them."""
    counts = records.counts
    share, most = counts.quarantined / counts.read, conf.source.max_bad_share
    written = records.frame.select(pl.len()).collect().item()
    return [
        _result("every_row_counted", counts.accounted and written == counts.used, asdict(counts)),
        _result("few_bad_records", share <= most, {"share": round(share, 6), "allowed": most}),
    ]


def of_vocabulary(vocabulary: Vocabulary, before: Vocabulary | None) -> list[dg.AssetCheckResult]:
    """Check the vocabulary, and compare it with the one that it replaces."""
    if before is None:
        return [_schema(vocabulary.tokens, Tokens), _result("drift", True, {"before": "there was none"})]
    moved = drift(before, vocabulary)
    facts = {"distance": round(moved.distance, 4), "tokens added": moved.added, "tokens removed": moved.removed}
    return [_schema(vocabulary.tokens, Tokens), _result("drift", moved.distance <= DRIFT_WARNS, facts)]


def of_examples(examples: SparseExamples) -> list[dg.AssetCheckResult]:
    """Check the sparse examples, and compare them with the pairs of the raw records."""
    n_raw = examples.about["pairs"]
    n_stored, n_left_out = int(examples.counts.sum()), examples.about["unknown_tokens"]
    pairs = {"in the records": n_raw, "stored": n_stored, "left out, without a place in the vocabulary": n_left_out}
    empty = {"examples": len(examples), "without a known token": examples.n_empty}
    heaviest = heaviest_of(examples)
    weight = {"the heaviest": heaviest.example or "none", "its share": round(heaviest.share, 6)}
    return [
        _schema(examples.frame, Examples),
        _result("no_token_lost", n_raw == n_stored + n_left_out, pairs),
        _result("tokens_known", not hardly_known(examples), empty),
        _result("no_example_drowns_others", not heaviest.drowns, weight),
    ]


def hardly_known(examples: SparseExamples) -> bool:
    """Whether most examples have no token of the vocabulary, and tokens were left out."""
    return examples.n_empty > MOST_EMPTY * len(examples) and examples.about["unknown_tokens"] > 0


class Heaviest(NamedTuple):
    """The training example whose tokens count most."""

    example: str
    share: float
    """Of what the tokens of all training examples count."""
    drowns: bool
    """Whether that is so much that hardly anything is learned from the others."""


def heaviest_of(examples: SparseExamples) -> Heaviest:
    """The training example whose tokens count most; none, with a share of 0, without weights."""
    filled = np.flatnonzero(np.diff(examples.indptr))
    if not len(examples.weights) or not len(filled):
        return Heaviest("", 0.0, False)
    counted = np.add.reduceat(examples.weights, examples.indptr[filled], dtype=np.float64)
    if examples.n_folds == 1 and not examples.about["by_token"]:  # otherwise each of them trains
        counted *= examples.split()[filled] == TRAIN
    most, total, n = int(counted.argmax()), counted.sum(), int(np.count_nonzero(counted))
    share = float(counted[most] / total) if total else 0.0
    drowns = share > max(MOST_OF_ALL, FAR_ABOVE / max(n, 1))
    return Heaviest(examples.frame["example"][int(filled[most])], share, bool(drowns))


def of_fits(asset: str, fits: Sequence[Fit], tracker: Tracker) -> list[dg.AssetCheckResult]:
    """Check the fits of an asset."""
    odd = []
    for fit in fits:
        embedding = Embedding.load(tracker.file(fit.run_id, EMBEDDING_FILE))
        if not np.isfinite(embedding.matrix).all():
            odd.append(fit.name)
    results = [_result("finite", not odd, {"fits": len(fits), "with something else": ", ".join(odd) or "none"})]
    if asset == "embedding":
        losses = {fit.name: tracker.history(fit.run_id, "train_loss") for fit in fits}
        up = [name for name, values in losses.items() if len(values) > 1 and not values[-1] < values[0]]
        facts = {name: f"{values[0]:.4f} -> {values[-1]:.4f}" for name, values in losses.items() if values}
        results.append(_result("loss_went_down", not up, facts))
    return results


def of_stability(fits: Sequence[Fit]) -> list[dg.AssetCheckResult]:
    """Check the most stable learned embedding: a few dimensions may be too few for neighbours, but not all."""
    shares = {fit.name: fit.metrics[STABILITY] for fit in fits if fit.method == EMBEDDING and STABILITY in fit.metrics}
    facts = {name: f"{value:.0%}" for name, value in shares.items()} or {"replicas": "there are none"}
    return [_result("neighbours_hold", max(shares.values(), default=1.0) >= STABLE, facts)]


def of_comparison(comparison: Comparison) -> list[dg.AssetCheckResult]:
    """Check the comparison: the verdicts of the learned embedding against PCA at the same D."""
    if not comparison.metrics:
        return [_result("learned_beats_pca", True, {"metric": "nothing was held out"})]
    metric = comparison.metrics[0]
    pairs = [(fit, against) for fit, against in comparison.told_pairs() if comparison.method(against) == PCA]
    passed = all(comparison.verdict(*pair, metric)["verdict"] == "better" for pair in pairs)
    facts = {fit: verdict_in_words(comparison, fit, against, metric) for fit, against in pairs}
    return [_result("learned_beats_pca", passed, {"metric": metric, **facts})]


def of_champion(champion: Champion) -> list[dg.AssetCheckResult]:
    """Check the interval of the champion on the test examples."""
    about = champion.facts
    share, asked = about.get("covered"), about.get("coverage", 0.0)
    if share is None:
        return [_result("interval_covers", True, {"interval": "there is none"})]
    error = np.sqrt(asked * (1 - asked) * (1 / about["calibrated_on"] + 1 / about["covered_of"]))
    facts = {"covers": round(share, 4), "should cover": asked, "standard error": round(float(error), 4)}
    return [_result("interval_covers", abs(share - asked) <= 3 * error, facts)]


def _schema(frame: pl.DataFrame, schema: type[dy.Schema]) -> dg.AssetCheckResult:
    _, failures = schema.filter(frame)
    return _result("schema", not len(failures), {"rows": frame.height, "rows that break a rule": len(failures)})


def _result(name: str, passed: bool, facts: dict[str, Any]) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.WARN if name in _WARNS else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(check_name=name, passed=bool(passed), severity=severity, metadata=facts)
