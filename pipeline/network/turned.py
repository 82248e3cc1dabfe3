"""Turns the latent space of a network so that known tokens lie where they lay before; what it scores stays the same."""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array

_TABLE = "table.weight"
_READ_IT = ("first.weight", "line.weight")
"""Layers whose first D inputs are the coordinates."""


def turned(weights: Mapping[str, Array], turn: Array) -> dict[str, Array]:
    """The weights of a network whose space is turned by a matrix (D, D): the table, and what reads its coordinates."""
    changed, d = dict(weights), len(turn)
    changed[_TABLE] = (weights[_TABLE] @ turn).astype(weights[_TABLE].dtype)
    if "step" in weights:  # from coordinates to coordinates
        changed["step"] = (turn.T @ weights["step"] @ turn).astype(weights["step"].dtype)
    for name in _READ_IT:
        if name in weights:
            changed[name] = np.hstack([weights[name][:, :d] @ turn, weights[name][:, d:]]).astype(weights[name].dtype)
    return changed
