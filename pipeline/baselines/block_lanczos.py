"""The largest eigenvalues of a symmetric matrix that is known by its products with vectors only.

Letters: N rows of the matrix, B vectors of a block, M vectors of the basis, D eigenvectors.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

STEPS = 12
"""Most blocks of a basis, which then has 6 D vectors or more."""
LEAST_WIDTH = 16
"""Vectors of a block, or half of D if that is more. A row of 16 numbers is a line of the cache: fewer take as long."""

NOTHING = 1e-5
"""A vector that adds less than this share of the longest one to a basis adds rounding errors of 32-bit numbers."""


class Largest(NamedTuple):
    """The largest eigenvalues within a basis."""

    basis: Tensor  # (N, M) orthonormal
    values: Tensor  # (D,) float64, the largest first
    turn: Tensor  # (M, D) the eigenvectors are `basis @ turn`


def largest(
    times: Callable[[Tensor], Tensor], n: int, dimension: int, seed: int, tolerance: float, device: str
) -> Largest:
    """The D largest eigenvalues by block Lanczos from a random start, with full reorthogonalisation.

    The basis spans all powers of the matrix times the start so far, which needs the square root of the steps of a power
    iteration where eigenvalues lie close together (Musco and Musco, 2015). There is no restart: whatever the spectrum
    is, the matrix is multiplied with at most STEPS + 1 blocks.

    Args:
        times: the product of the matrix (N, N) with vectors (N, B).
        n: N.
        dimension: D <= N.
        seed: of the random start.
        tolerance: stop when a block adds a smaller share to the sum of the eigenvalues.
        device: where the vectors are.
    """
    width = min(max(LEAST_WIDTH, dimension // 2), n)
    stored = torch.empty(min(STEPS * width, n), n, device=device)  # (M, N)
    inside = torch.zeros(0, 0, dtype=torch.float64)  # the matrix within the basis, (M, M)
    random = torch.Generator().manual_seed(seed)
    vectors = times(torch.randn(n, width, generator=random).to(device))
    explained = 0.0
    while True:
        old, new = len(inside), min(len(inside) + width, len(stored))
        stored[old:new] = orthonormal(vectors, stored[:old], random)[:, : new - old].T
        vectors = times(stored[old:new].T)
        beside = (stored[:new] @ vectors).cpu().double()  # (M, B)
        inside = torch.cat([torch.cat([inside, beside[:old].T]), beside], dim=1)
        values, turn = torch.linalg.eigh((inside + inside.T) / 2)  # ascending
        before, explained = explained, float(values[-dimension:].sum())
        if new == len(stored) or (new >= dimension and explained - before <= tolerance * explained):
            turn = turn.flip(1)[:, :dimension].float().to(device)
            return Largest(stored[:new].T, values.flip(0)[:dimension], turn)


def orthonormal(vectors: Tensor, basis: Tensor, random: torch.Generator) -> Tensor:
    """Orthonormal vectors (N, B) that are orthogonal to the basis (M, N) and span what the given ones add to it.

    Where the given ones add nothing but rounding errors, random ones take their place: a matrix of low rank has no more
    directions. It is done twice, because what is left of a vector can be as small as these errors.
    """
    size = torch.linalg.vector_norm(vectors, dim=0).max()
    vectors, left = torch.linalg.qr(_without(vectors, basis))
    news = left.diagonal().abs() > NOTHING * size
    fill = torch.randn(len(vectors), int((~news).sum()), generator=random) / len(vectors) ** 0.5
    vectors = torch.cat([vectors[:, news], fill.to(vectors.device)], dim=1)
    found: Tensor = torch.linalg.qr(_without(vectors, basis))[0]
    return found


def _without(vectors: Tensor, basis: Tensor) -> Tensor:
    """What is left of vectors (N, B) without their parts along a basis (M, N)."""
    return vectors - basis.T @ (basis @ vectors) if len(basis) else vectors
