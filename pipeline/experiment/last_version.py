"""What stays as it was the last time: the integers of the tokens and the parts of the examples, from the registry.

Each contest leaves a version of the dataset's model; its run tells which vocabulary and which parts there were.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.examples.sparse_examples import HELD_OUT, TRAIN, VALIDATION, SparseExamples
from pipeline.experiment.model_registry import ModelRegistry, Version
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE, FIT_FILE
from pipeline.records.splitting.assignment import last_part
from pipeline.schemas import PARTS
from pipeline.vocabulary.counted import Kept
from pipeline.vocabulary.vocabulary import Vocabulary

PARTS_FILE = "parts.parquet"
"""The file in a run with the part and the group of each example, and how many of its tokens were learned from."""
_OF_TOKENS = {"tokens": True, "vocabulary": True}
_OF_PARTS = {"example": True, "split": True, "seed": True}


def kept_from_last(conf: Dataset, tracker: Tracker) -> Kept:
    """What today's run keeps from the newest version of the model, as far as that was made with the same settings."""
    if conf.vocabulary.keep is False:
        return Kept()
    registry = ModelRegistry(tracker.client, conf.name)
    last = next((one for one in registry.versions() if "key" in one.tags and registry.has_files(one)), None)
    if last is None:
        return Kept()
    before = json.loads(tracker.file(last.run_id, FIT_FILE).read_text())["conf"]
    vocabulary = None
    if conf.vocabulary.keep or _are_same(before, conf, _OF_TOKENS):
        columns = ["token", "label", "count"]
        vocabulary = Vocabulary.of_frame(pl.read_parquet(tracker.file(last.run_id, EMBEDDING_FILE), columns=columns))
    by_shares = conf.split.column is None and conf.split.folds is None and not conf.split.by_time
    parts = parts_of(tracker, last) if by_shares and _are_same(before, conf, _OF_PARTS) else None
    return Kept(vocabulary, None if parts is None else parts.drop("learned"))


def _are_same(before: dict[str, Any], conf: Dataset, sections: dict[str, bool]) -> bool:
    """Whether an earlier fit had the same settings in these sections, except `keep` and what only describes tokens."""
    now = conf.model_dump(mode="json", include=sections)
    then = {name: before.get(name) for name in now}
    describing = {name for tokens in conf.tokens for name in tokens.describing}
    for settings in (now, then):
        (settings.get("vocabulary") or {}).pop("keep", None)
        for tokens in settings.get("tokens") or ():
            for name in describing & tokens.keys():
                del tokens[name]
    return now == then


def parts_of(tracker: Tracker, version: Version) -> pl.DataFrame | None:
    """The part of each example when a version was made: example, split, group, learned; None if it was not noted."""
    if not tracker.has_file(version.run_id, PARTS_FILE):
        return None
    return pl.read_parquet(tracker.file(version.run_id, PARTS_FILE))


def write_parts(examples: SparseExamples, conf: Dataset, before: Kept, folder: Path) -> None:
    """Write `PARTS_FILE` for today's examples, and for those that are gone but may come back."""
    if examples.n_folds > 1:  # each of them was learned from
        return
    refits = examples.refits(conf.refit)
    rows = np.flatnonzero(examples.split() <= (VALIDATION if refits else TRAIN))
    learned = np.zeros(len(examples), np.int64)
    learned[rows] = examples.training(refit=refits).inputs.lengths
    frame = examples.frame.select(examples.known_by.alias("example"), "split", "group", learned=learned)
    if before.parts is not None:
        gone = before.parts.join(frame, on="example", how="anti").with_columns(learned=pl.lit(0, pl.Int64))
        frame = pl.concat([frame, gone], how="diagonal")  # an earlier version noted no groups
    frame.write_parquet(folder / PARTS_FILE)


def has_learned_from_held_out(parts: pl.DataFrame, examples: SparseExamples, conf: Dataset) -> bool:
    """Whether a fit of earlier parts has learned from something that is held out today.

    Where time divides the tokens of an example, more of them may only have come at its end: then a fit has learned from
    held-out ones if it has learned from more of an example than goes in today.
    """
    if examples.n_folds > 1 or (examples.about["by_token"] and not conf.split.by_time):
        return True
    known = examples.known_by
    if conf.example is None and examples.groups is None and not known.is_in(parts["example"].implode()).any():
        return True  # no row says what one said before, so nobody can tell which ones were there
    learned_parts = PARTS[: last_part(conf) + 1]
    was = pl.col("split").cast(pl.String).is_in(learned_parts)
    if not examples.about["by_token"]:
        is_held_out, learned = examples.frame["split"].cast(pl.String) != "train", parts.filter(was)
        if examples.groups is not None:
            if "group" not in parts.columns or parts["group"].null_count():
                return True  # nobody noted the groups
            held_out = examples.frame["group"].filter(is_held_out)
            if held_out.is_in(learned["group"].implode()).any():
                return True
        return bool(known.filter(is_held_out).is_in(learned["example"].implode()).any())
    of_id = pl.DataFrame({"id": examples.frame["example"], "example": known})
    for part in HELD_OUT:
        rows = examples.held_out(part)
        today = pl.DataFrame({"id": rows.ids, "seen": rows.inputs.lengths}).join(of_id, on="id")
        both = today.join(parts.select("example", "learned"), on="example")
        if (both["learned"] > both["seen"]).any():
            return True
    return False
