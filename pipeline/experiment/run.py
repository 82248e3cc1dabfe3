"""One MLflow run: open while its fit is running, then finished."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

FLUSH_SECONDS = 5.0
"""Least seconds between two calls that send losses: a call costs milliseconds, an epoch may take less."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended well, as MLflow stores it."""

    run_id: str
    experiment_id: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """An open run of one fit."""

    client: "MlflowClient"
    run_id: str
    experiment_id: str
    history: dict[str, list[float]] = field(default_factory=dict)
    """Every value of every metric, in order."""
    _waiting: list[Any] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of every metric."""
        return {name: values[-1] for name, values in self.history.items()}

    def log_metrics(self, metrics: Mapping[str, float], epoch: int = 0) -> None:
        """Log metrics of an epoch; they are sent in batches, the last of them when the run ends."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, epoch) for name, value in metrics.items()]
        for name, value in metrics.items():
            self.history.setdefault(name, []).append(value)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log settings; of one that is too long for MLflow the beginning, or it would warn of it."""
        from mlflow.entities import Param
        from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH as LONGEST

        params = {key: one if len(one) <= LONGEST else f"{one[: LONGEST - 1]}…" for key, one in params.items()}
        for start in range(0, len(params), 100):  # the most that MLflow takes in a batch
            some = list(params.items())[start : start + 100]
            self.client.log_batch(self.run_id, params=[Param(key, value) for key, value in some])

    def log_input(self, name: str, digest: str, source: str, profile: Mapping[str, int]) -> None:
        """Log the dataset that the fit learns from, which MLflow shows as its lineage.

        Args:
            name: the name of the dataset.
            digest: fingerprint of the sparse examples.
            source: where the raw records were read from.
            profile: sizes of the examples, by name.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        kind = "http" if source.startswith(("http://", "https://")) else "local"
        entity = Dataset(
            name, digest, kind, json.dumps({"url" if kind == "http" else "uri": source}), profile=json.dumps(profile)
        )
        context = InputTag("mlflow.data.context", "training")
        self.client.log_inputs(self.run_id, datasets=[DatasetInput(entity, [context])])

    def flush(self) -> None:
        """Send the metrics that wait."""
        for start in range(0, len(self._waiting), 1000):  # the most that MLflow takes in a batch
            self.client.log_batch(self.run_id, metrics=self._waiting[start : start + 1000])
        self._waiting.clear()
        self._flushed = time.monotonic()

    def log_folder(self, folder: Path) -> None:
        """Keep every file of a folder as an artifact."""
        self.client.log_artifacts(self.run_id, str(folder))
