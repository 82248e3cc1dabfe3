"""How far the tokens of a fit have moved from where an earlier fit had them, in a space that is turned like its own."""

import logging
from dataclasses import replace

import numpy as np
from scipy.linalg import orthogonal_procrustes

from pipeline.embedding import Embedding, Fitted

DRIFT = "drift"
"""Metric of a fit that follows an earlier one: how far its known tokens have moved, in the median."""
_NAMED = 5


def beside(fitted: Fitted, before: Embedding, turn: bool) -> Fitted:
    """A learned fit with the drift of its tokens.

    Args:
        fitted: the fit.
        before: the embedding of the earlier one, with the same D.
        turn: whether its space is turned onto the earlier one first, which changes no score: a fit that began anew may
            lie in any direction.
    """
    from pipeline.network.fitted_network import FittedNetwork, places
    from pipeline.network.turned import turned

    assert isinstance(fitted, FittedNetwork)
    embedding = fitted.embedding
    place = before.vocabulary.find(embedding.vocabulary.tokens["token"])
    known = np.flatnonzero(place >= 0)
    if not len(known):
        return fitted
    weights, matrix, old = fitted.weights, embedding.matrix, before.matrix[place[known]]
    if turn:
        turning, _ = orthogonal_procrustes(matrix[known].astype(np.float64), old.astype(np.float64))
        weights = turned(weights, turning)
        matrix = places(weights)
    drift = np.full(len(matrix), np.nan, np.float32)
    length = np.sqrt(np.square(old, dtype=np.float64).sum(axis=1).mean())
    drift[known] = np.linalg.norm(matrix[known] - old, axis=1) / max(length, 1e-12)
    return replace(fitted, weights=weights, embedding=replace(embedding, matrix=matrix, drift=drift))


def tell(name: str, embedding: Embedding, log: logging.Logger) -> dict[str, float]:
    """The median drift as a metric, after a line that names the tokens that moved most; {} where nothing is known."""
    if embedding.drift is None:
        return {}
    log.info(f"{name}: {in_words(embedding)}")
    return {DRIFT: float(np.nanmedian(embedding.drift))}


def in_words(embedding: Embedding) -> str:
    """How far known tokens have moved since the fit before, and which most of all; empty where nothing is known."""
    if embedding.drift is None:
        return ""
    order = np.argsort(-np.nan_to_num(embedding.drift, nan=-1.0), kind="stable")[:_NAMED]
    labels, median = embedding.vocabulary.labels, np.nanmedian(embedding.drift)
    most = ", ".join(f"{labels[i]} ({embedding.drift[i]:.0%})" for i in order if embedding.drift[i] >= 0)
    return f"known tokens have moved by {median:.0%} of the mean length, in the median; most of all {most}"
