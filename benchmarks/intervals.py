"""How many sales the interval around a predicted price covers, over several seeds of the split and of the training."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.files import load
from pipeline.estimators import EMBEDDING, estimator
from pipeline.evaluation.conformal import covered, half_width
from pipeline.examples.encoding import encode
from pipeline.experiment.cross_fitting import CrossFit
from pipeline.experiment.piece_queue import PieceQueue
from pipeline.records.ingest import ingest
from pipeline.records.pairs.builder import pair_table
from pipeline.tasks.regression import Regression
from pipeline.vocabulary.vocabulary import build_vocabulary

CONF = Path(__file__).resolve().parent.parent / "conf" / "homes.yaml"
SEEDS = 5


def coverage() -> dict[str, Any]:
    """The table: for each seed the half width by validation, and the share of test examples that it covers."""
    asked = load(CONF)
    rows = [["seed", "half the width, logarithm of the price", "covers, of the test examples"]]
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        records = ingest(asked, CONF.parent, Path(folder) / "records").frame
        for seed in range(1, SEEDS + 1):
            conf = asked.model_copy(update={"seed": seed})
            vocabulary = build_vocabulary(pair_table(records, conf), conf)
            examples = encode(records, vocabulary, conf)
            conf = conf.resolved(examples.n_training, len(vocabulary))
            how, log = estimator(EMBEDDING, conf), logging.getLogger("intervals")
            dimension = how.fitted_at()[0]
            with PieceQueue() as queue:
                fit = CrossFit(queue, how, EMBEDDING, conf, vocabulary, examples, dimension)
                done = fit.done(lambda *_: None, log)
            assert isinstance(conf.task, Regression)
            errors = {part: conf.task.errors(frame) for part, frame in done.scores.items()}
            half = half_width(errors["validation"], conf.inference.coverage)
            assert half is not None
            shares.append(covered(errors["test"], half))
            rows.append([str(seed), f"{half:.3f}", f"{shares[-1]:.3f}"])
            print(f"seed {seed}: {shares[-1]:.3f}", flush=True)
    rows.append(["mean", "", f"{np.mean(shares):.3f}"])
    n = len(errors["test"])
    notes = [f"conf/homes.yaml, embedding D={dimension}; {conf.inference.coverage:.0%} asked, {n} test examples each"]
    return {"title": "interval: the homes", "tables": [rows], "notes": notes}
