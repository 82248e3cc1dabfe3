"""Refreshes: a learned fit goes on from the last one when the data has changed, or begins anew, by the rules of conf.

A refresh starts from the run that counts for the same D. It is another fit than one from the beginning, and so are its
key and its run; a fit that stands for today's data is reused, whichever of both it is.
"""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Estimator
from pipeline.errors import PipelineError
from pipeline.estimators import EMBEDDING, modules
from pipeline.evaluation.bootstrap import apart
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.cache_key import key_of
from pipeline.experiment.code_version import code_version
from pipeline.experiment.last_version import has_learned_from_held_out, parts_of
from pipeline.experiment.model_registry import ModelRegistry
from pipeline.experiment.recorded import recorded_scores
from pipeline.experiment.run import FinishedRun
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE, load_fitted
from pipeline.tasks.missing_tokens import POWERS
from pipeline.vocabulary.vocabulary import Vocabulary

FROM, TIMES = "refreshed_from", "refreshes"
"""Tags and settings of a refresh: the run that it went on from, and the refreshes since the last full fit, with it."""
RATE = 0.4
"""Factor of the learning rates: with the whole rates, known tokens would move as far as between two seeds; with less,
too little would be learned from the new rows."""
OF = "refresh_of"
"""Tag of a refresh: the key of a full fit of the same data."""
_FULL, _RECIPE, _SIZE, _STANDS_FOR = "full_fit", "recipe", "trained_on", "stands_for"
"""More tags: the run of the last full fit; what has to stay for a refresh; examples, entries and tokens that were
learned from; `OF` with the settings of refreshes."""
_CODE = "pipeline.network.refreshed_start"


@dataclass(frozen=True)
class Start:
    """What a refresh goes on from."""

    run: FinishedRun
    times: int
    """Refreshes since the last full fit, this one included."""
    full: str
    """The run of the last full fit."""
    embedding: Embedding
    weights: Mapping[str, Array]

    def weights_for(self, vocabulary: Vocabulary, rows: ExampleSet, dtype: str) -> dict[str, Array]:
        """The weights for today's vocabulary; `rows` tell what new tokens are seen with."""
        from pipeline.network.refreshed_start import refreshed_start

        return refreshed_start(self.weights, self.embedding.vocabulary, vocabulary, rows, dtype)

    def shortened(self, conf: Dataset) -> Dataset:
        """The dataset, resolved, with a shorter training: a share of the epochs, at two fifths of the rates."""
        training, share = conf.training, conf.refresh.share
        rates = {name: getattr(training, name, None) for name in ("learning_rate", "bias_learning_rate")}
        update: dict[str, Any] = {name: value * RATE for name, value in rates.items() if value is not None}
        if "temperature" in self.weights:
            update["temperature"] = (float(self.weights["temperature"]),)
            untold = {"selected.count_power": POWERS[0], "selected.cut": 0}  # in runs of earlier versions
            params = untold | dict(self.run.params)
            update["weight_decay"] = (float(params["selected.weight_decay"]),)
            update["count_power"] = (float(params["selected.count_power"]),)
            update["cut"] = bool(int(params["selected.cut"]))
        assert training.max_epochs is not None
        update["max_epochs"] = math.ceil(share * training.max_epochs)
        return conf.model_copy(update={"training": training.model_copy(update=update)})

    def said(self) -> dict[str, str]:
        """Tags and settings that tell a refresh from a full fit."""
        return {FROM: self.run.run_id, TIMES: str(self.times)}


@dataclass(frozen=True)
class Refreshes:
    """Decides for each D whether its fit goes on from the last one."""

    asked: Dataset
    """The dataset as it was written."""
    conf: Dataset
    """The same, resolved."""
    method: Estimator
    examples: SparseExamples
    tracker: Tracker

    @property
    def _can_be(self) -> bool:
        return self.method.name == EMBEDDING and self.conf.refresh.times > 0

    def may_go_on(self, name: str) -> bool:
        """Whether the fit perhaps goes on from an earlier one: only `start` tells."""
        return self._can_be and self.examples.n_folds == 1 and self._last(name) is not None

    def finished(self, key: str) -> FinishedRun | None:
        """A refresh that stands for a fit with this key, if there is one."""
        return self.tracker.finished(self._stands_for(key), _STANDS_FOR) if self._can_be else None

    def tags(self, key: str, start: Start | None) -> dict[str, str]:
        """The tags of a new run of a fit with this key."""
        if self.method.name != EMBEDDING:
            return {"fit_key": key}
        tags = {_RECIPE: self._recipe, _SIZE: json.dumps(self._size)}
        if start is None:
            return tags | {"fit_key": key}
        return tags | {
            "fit_key": key_of([self._stands_for(key), start.run.run_id]),
            _STANDS_FOR: self._stands_for(key),
            OF: key,
            _FULL: start.full,
            **start.said(),
        }

    def start(self, name: str, dimension: int | None) -> tuple[Start | None, str]:
        """What the fit goes on from, or None; and why it does not, if there is an earlier one."""
        last = self._last(name) if self._can_be else None
        if last is None:
            return None, ""
        times = int(last.tags.get(TIMES, "0")) + 1
        full = self.tracker.of_id(last.tags.get(_FULL, last.run_id))
        why_not = self._why_not(last, full, times, dimension)
        if why_not or full is None:
            return None, why_not or "the run of the last full fit is gone"
        try:
            fitted = load_fitted(self.tracker.folder(last.run_id))
        except (OSError, PipelineError) as error:
            return None, f"the last fit cannot be read: {error}"
        if list(fitted.weights.get("target_classes", ())) != list(self.examples.about["classes"]):
            return None, "there are other classes"
        return Start(last, times, full.run_id, fitted.embedding, fitted.weights), ""

    def before(self, name: str) -> Embedding | None:
        """The embedding of the last fit of other data, from which the drift of tokens is measured."""
        last = self._last(name) if self.method.name == EMBEDDING else None
        if last is None:
            return None
        with suppress(OSError, PipelineError):
            return Embedding.load(self.tracker.file(last.run_id, EMBEDDING_FILE))
        return None

    def why_worse(self, done: FinishedRun, start: Start) -> str:
        """Why a refresh is worse on validation than the last full fit was, beyond doubt; empty if it is not."""
        ours, theirs = (recorded_scores(self.tracker, one, "validation") for one in (done.run_id, start.full))
        if ours is None or theirs is None:
            return ""
        difference = apart(self.conf.task, ours, theirs)
        return f"{difference.in_words} on validation" if difference.verdict == "worse" else ""

    def _last(self, name: str) -> FinishedRun | None:
        """The last run of this name that was fitted to other examples than today's; None if there is none.

        Where the current run has today's examples, it is the one that this run went on from.
        """
        last = self._current.get(name)
        while last is not None and last.params.get("examples_fingerprint") == self.examples.fingerprint:
            last = self.tracker.of_id(last.tags[FROM]) if FROM in last.tags else None
        return last

    def _why_not(self, last: FinishedRun, full: FinishedRun | None, times: int, dimension: int | None) -> str:
        """Why a fit begins anew, as the end of a sentence; empty if it can go on."""
        conf, most = self.conf, self.conf.refresh
        if last.tags.get(_RECIPE) != self._recipe:
            return "settings or code have changed"
        if self.examples.n_folds > 1:
            return "with `split.folds` each example has been learned from"
        if len(self.examples.borrowed):
            return "the examples that validate have been learned from"
        if times > most.times:
            return f"there were {times - 1} refreshes since the last full fit"
        before = json.loads(full.tags.get(_SIZE, "{}")) if full else {}
        for what, now in self._size.items():
            was = before.get(what, 0)
            if abs(now - was) > most.grown * was:
                return f"the last full fit had {was:,} {what}, and now there are {now:,}"
        v, number = self.examples.shape[1], np.dtype(conf.dtype).itemsize
        if dimension is not None and conf.training.is_divided(v, dimension, number):
            return "its table is divided among workers"
        registry, made_with = ModelRegistry(self.tracker.client, conf.name), last.params.get("examples_fingerprint")
        of_last = next((one for one in registry.versions() if one.tags.get("examples") == made_with), None)
        parts = parts_of(self.tracker, of_last) if of_last and registry.has_files(of_last) else None
        if parts is None:
            return "no version of the model tells what the last fit has learned from"
        if has_learned_from_held_out(parts, self.examples, conf):
            return "the last fit has learned from what is held out now"
        return ""

    @cached_property
    def _current(self) -> dict[str, FinishedRun]:
        """The runs that count, by name, before anything is fitted."""
        return self.tracker.current()

    @cached_property
    def _size(self) -> dict[str, int]:
        """What is learned from, in numbers."""
        training = self.examples.training()
        n_tokens = int((training.inputs.counts > 0).sum())
        return {"examples": len(training), "entries": int(training.inputs.lengths.sum()), "tokens": n_tokens}

    @cached_property
    def _recipe(self) -> str:
        """What has to stay as it is for a refresh: settings, and the code of the fit."""
        sections = {"task", "tokens", "example", "weight", "split", "seed", "refit", "precision", "training"}
        decides = [
            self.asked.undescribed().model_dump_json(include=sections),
            code_version(*modules(self.method.name, self.conf)),
        ]
        return key_of(decides)

    def _stands_for(self, key: str) -> str:
        return key_of([key, self.conf.refresh.model_dump(), RATE, code_version(_CODE)])
