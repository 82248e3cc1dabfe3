"""What the runs of finished fits have recorded: what was chosen, what was learned, and the scores."""

import json
from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.examples.recency import ORDERED
from pipeline.experiment.fits import Fit
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE, scores_file


def selected(params: Mapping[str, str], name: str) -> list[float]:
    """The number that validation selected under this name in each fold; [] if the method has nothing such to select.

    >>> selected({"selected.epochs": "30, 25"}, "epochs"), selected({}, "interpolation")
    ([30, 25], [])
    """
    return [json.loads(value) for value in params.get(f"selected.{name}", "").split(", ") if value]


def vocabulary_size(tracker: Tracker, fit: Fit) -> int:
    """V, the number of tokens in a fit's embedding."""
    path = tracker.file(fit.run_id, EMBEDDING_FILE)
    rows: int = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return rows


def split_in_words(tracker: Tracker, fits: Sequence[Fit], conf: Dataset) -> str | None:
    """How time or groups divide what fits learn from and what they are tested on, in sentences; None if they do not.

    With a time it is told where the embedding has learned an order to which the baselines are blind.
    """
    if not conf.split.by_time and conf.split.group is None:
        return None
    order = " The learned embedding goes by the order of the tokens too; to the baselines they are bags."
    has_order = any(goes_by_order(tracker, fit) for fit in fits)
    return tracker.param(fits[0].run_id, "split.in_words") + (order if has_order else "")


def goes_by_order(tracker: Tracker, fit: Fit) -> bool:
    """Whether a fit has learned the order of lists, because validation preferred that."""
    return f"selected.{ORDERED}" in tracker.params(fit.run_id)


def load_scores(tracker: Tracker, fits: Sequence[Fit], part: str) -> list[pl.DataFrame]:
    """The scores of each held-out example of a part, one frame for each fit; [] if a fit has none of the part."""
    if not all(any(name.startswith(f"{part}_") and not name.endswith("_loss") for name in fit.metrics) for fit in fits):
        return []
    return [pl.read_parquet(tracker.file(fit.run_id, scores_file(part)), glob=False) for fit in fits]


def recorded_scores(tracker: Tracker, run_id: str, part: str) -> pl.DataFrame | None:
    """The scores of each held-out example of a part that a run keeps; None if it keeps none."""
    if not tracker.has_file(run_id, scores_file(part)):
        return None
    return pl.read_parquet(tracker.file(run_id, scores_file(part)), glob=False)
