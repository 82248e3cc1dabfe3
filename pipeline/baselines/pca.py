"""The baseline PCA: centred, with the same dimensions and on the same sparse rows as the learned embedding.

D components give every token D loadings, its coordinates. Missing tokens are scored by the reconstruction of the row; a
target is predicted by a linear head on the components and the dense features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.arrays import Array
from pipeline.baselines.principal_components import principal_components, project
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import Dimensions
from pipeline.config.size import MANY_LOGITS, Size
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Factors, Problem
from pipeline.errors import PipelineError
from pipeline.examples.features import DenseScale
from pipeline.tasks.target import TargetTask


class Pca(Baseline):
    """Principal components of the same sparse rows, centred."""

    is_swept: ClassVar[bool] = True

    kind: Literal["pca"] = "pca"
    dimensions: Dimensions | None = None
    """Each D of PCA. Default: the `dimensions` of the file, and the powers of 2 above the smallest of them, up to
    four times the largest, to show how many dimensions of PCA a learned embedding is worth."""
    solver: Literal["arpack", "covariance_eigh", "randomised"] | None = None
    """arpack and covariance_eigh are exact solvers of scikit-learn; arpack never makes the rows dense. randomised is
    for many dimensions or many tokens: it uses all cores, and takes as long whether or not a few directions stand out;
    it stops when a step adds at most a ten-thousandth of the explained variance, or after twelve steps. Default:
    arpack, or randomised beyond N x V = 2 billion."""

    def resolved(self, n_examples: int, n_tokens: int, dimensions: tuple[int, ...]) -> Self:
        """A copy with the defaults filled in."""
        room = min(n_examples, n_tokens) - 1
        powers = (2**i for i in range(room.bit_length()))
        above = {d for d in powers if min(dimensions, default=1) < d <= min(room, 4 * max(dimensions, default=1))}
        return self.model_copy(
            update={
                "dimensions": self.dimensions or tuple(sorted({*dimensions, *above})),
                "solver": self.solver or ("randomised" if n_examples * n_tokens > MANY_LOGITS else "arpack"),
            }
        )

    def fitted_at(self) -> tuple[int | None, ...]:
        """Each D to fit."""
        assert self.dimensions is not None
        return self.dimensions

    def require_room(self, most: int, n_tokens: int, where: str) -> None:
        """Refuse a D that is too large for the data.

        Raises:
            PipelineError: there is one; the message names the largest D that is possible.
        """
        largest = max(self.dimensions or (0,))
        if largest > most:
            raise PipelineError(
                f"{where}, baselines: D={largest} of pca is larger than the data allows. Lower its `dimensions` to at "
                f"most {most}."
            )

    def memory(self, size: Size, dimension: int | None) -> int:
        """Bytes that the solver needs; the exact one, by eigenvalues, has V x V numbers."""
        return size.of_pca(dimension or 0) + (24 * size.v**2 if self.solver == "covariance_eigh" else 0)

    def fit(self, problem: Problem) -> "FittedPca":
        """Fit on the training rows, which are sparse and centred implicitly."""
        conf, training = problem.conf, problem.training
        assert problem.dimension is not None
        inputs = training.inputs.csr(conf.dtype)
        solver, device = self.solver or "arpack", "cpu"
        if solver == "randomised":
            import torch

            from pipeline.accelerators import device_of

            device = device_of(conf.training, torch.float32)
        pca = principal_components(inputs, problem.dimension, conf.seed, solver, device=device)
        weights = {"mean": pca.mean.astype(conf.dtype), "components": pca.components.astype(conf.dtype)}
        if isinstance(conf.task, TargetTask):
            dense, scale = DenseScale.fit(training.dense), conf.task.scale(training)
            latent = project(inputs, weights["mean"], weights["components"])
            features = np.hstack([latent, dense.forward(training.dense)])
            head = conf.task.linear(features, conf.task.learned(training.target, scale), scale)
            weights |= {"head_weight": head[0], "head_bias": head[1]} | dense.weights | scale
        return FittedPca(Embedding(problem.vocabulary, pca.loadings.astype(np.float32)), weights, conf.task)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedPca":
        """Restore a fit from its embedding and its saved weights."""
        return FittedPca(embedding, weights, conf.task)


@dataclass(frozen=True)
class FittedPca:
    """Principal components of the training rows and, if the task has a target, a linear head on them."""

    embedding: Embedding  # loadings: component times the standard deviation of its scores
    weights: Mapping[str, Array]  # mean (V,), components (D, V); with a target also head_* and the scales
    task: Task
    chosen: Mapping[str, Any] = field(default_factory=dict)  # empty: there is only D to choose

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """For missing tokens, the reconstruction mean + (x - mean) C^T C, (N, V); for a target, the head's answers."""
        latent = project(inputs, self.weights["mean"], self.weights["components"])  # (N, D)
        if not isinstance(self.task, TargetTask):
            return np.asarray(latent @ self.weights["components"] + self.weights["mean"], np.float32)
        features = np.hstack([latent, DenseScale.of(self.weights).forward(dense)])
        return self.task.answers(features @ self.weights["head_weight"] + self.weights["head_bias"], self.weights)

    @property
    def factors(self) -> Factors | None:
        """For missing tokens the components, with the mean as one more, and a list's scores, with a 1; else None."""
        if isinstance(self.task, TargetTask):
            return None
        mean, components = self.weights["mean"], self.weights["components"]

        def queries(inputs: sparse.csr_matrix) -> Array:
            latent = project(inputs, mean, components)
            return np.column_stack([latent, np.ones(len(latent))]).astype(np.float32)

        return Factors(np.column_stack([components.T, mean]).astype(np.float32), queries)
