"""The start of a network whose table is divided: the same PCA as elsewhere, by workers that each have some columns.

Each worker samples its own examples, and sends the pairs to the owners of their tokens. From then on it has all sampled
examples, but only its own columns of them: what a product needs of the others is a sum of small matrices.

Letters: N sampled examples, V vocabulary, D dimensions, W workers, K width of the basis.
"""

import math

import numpy as np
import torch
import torch.distributed as dist
from scipy import sparse
from torch import Tensor

from pipeline.arrays import Array
from pipeline.examples.example_set import SparseRows
from pipeline.network.divided_table import Exchange
from pipeline.network.layers import tensor
from pipeline.network.missing_tokens_network import MissingTokensNetwork
from pipeline.tasks.missing_tokens import MOST_PAIRS, POWERS, MissingTokensTraining

TURNS = 50
"""Most iterations of the PCA."""
BLOCK_ROWS = 8192
"""Rows of a basis that are turned at once."""
SMALL = 1e-9
"""Directions with less than this share of the largest variance are noise."""


def divided_start(
    rows: SparseRows,
    counts: Array,
    settings: MissingTokensTraining,
    dimension: int,
    temperature: float,
    seed: int,
    dtype: str,
    exchange: Exchange,
    tolerance: float,
) -> MissingTokensNetwork:
    """The network at its start with the own rows of the table; see `missing_tokens_network`.

    Args:
        rows: the own examples.
        counts: (V,) how many training examples have each token.
        settings: the training settings, resolved.
        dimension: D.
        temperature: the number that cosines are divided by.
        seed: of the sample, and of the basis.
        dtype: the number type of the network.
        exchange: with the other workers.
        tolerance: of the PCA.
    """
    (power, *_) = settings.count_power or POWERS
    n = np.maximum(counts, 1)
    own = n[exchange.rank :: exchange.size]
    columns = _own_columns(_sample_of(rows, seed + exchange.rank), len(own), exchange)
    table = _loadings(columns, own**-power, dimension, seed + exchange.rank, tolerance)
    length = float(_summed(torch.linalg.vector_norm(table).double().square()))
    table /= max(math.sqrt(length / len(n)), 1e-12)
    bias = np.log(own / n.mean())
    return MissingTokensNetwork(
        table.to(getattr(torch, dtype)), tensor(bias, dtype), settings.lift, temperature, settings.dropout, sparse=True
    )


def _sample_of(rows: SparseRows, seed: int) -> SparseRows:
    """All own examples, or a random sample, so that all samples together have about `MOST_PAIRS` pairs."""
    total = float(_summed(torch.tensor([float(rows.lengths.sum())], dtype=torch.float64)))
    share = MOST_PAIRS / max(total, 1)
    if share >= 1:
        return rows
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[: math.ceil(share * len(rows))])
    return rows.cut(chosen)


def _own_columns(sample: SparseRows, width: int, exchange: Exchange) -> sparse.csr_matrix:
    """(N, V / W) the samples of all workers, one after the other, with the own columns of them."""
    lists = sample.lists(slice(None))
    tokens = torch.from_numpy(lists.tokens)
    before = exchange.swap(torch.tensor([len(sample)]).repeat(exchange.size), *[[1] * exchange.size] * 2)
    first, total = int(before[: exchange.rank].sum()), int(before.sum())
    row = torch.repeat_interleave(torch.arange(first, first + len(sample)), torch.from_numpy(lists.lengths))
    order = (tokens % exchange.size).argsort(stable=True)
    to = torch.bincount(tokens % exchange.size, minlength=exchange.size)
    by = exchange.counts(to)

    def swapped(values: Tensor) -> Array:
        return exchange.swap(values[order].int(), to.tolist(), by).numpy()

    places = swapped(row), swapped(tokens // exchange.size)
    if lists.weights is None:
        data = np.ones(sum(by), np.float32)
    else:
        data = exchange.swap(torch.from_numpy(lists.weights).float()[order], to.tolist(), by).numpy()
    return sparse.csr_matrix((data, places), shape=(total, width))


def _loadings(x: sparse.csr_matrix, weight: Array, dimension: int, seed: int, tolerance: float) -> Tensor:
    """(V / W, D) the own rows of the loadings of X diag(w), centred.

    By subspace iteration (Halko, Martinsson and Tropp, 2011, algorithm 4.4). A product with the whole matrix is the sum
    of the products with the columns of each worker. The basis of all workers together is made orthonormal by its Gram
    matrix, which is such a sum, too.
    """
    x = sparse.csr_matrix(x @ sparse.diags(weight.astype(np.float32)), dtype=np.float32)  # (N, V / W)
    n, v = x.shape
    everything = float(_summed(torch.tensor([float(v)], dtype=torch.float64)))
    width = int(min(dimension + max(10, dimension // 2), n, everything))
    mean = torch.from_numpy(np.asarray(x.sum(axis=0, dtype=np.float64)).astype(np.float32).reshape(-1, 1) / n)
    basis = torch.randn(v, width, generator=torch.Generator().manual_seed(seed))
    _make_orthonormal(basis)
    explained = 0.0
    for _ in range(TURNS):
        scores = _summed(torch.from_numpy(x @ basis.numpy()) - mean.T @ basis)  # (N, K)
        values, turn = torch.linalg.eigh((scores.T @ scores).double())  # ascending
        before, explained = explained, float(values[-dimension:].sum())
        if explained - before <= tolerance * explained:
            break
        del basis  # two of them would be the most that this worker has in memory
        basis = torch.from_numpy(x.T @ scores.numpy()).addmm_(mean, scores.sum(dim=0, keepdim=True), alpha=-1)
        _make_orthonormal(basis)
    spread = (values.flip(0)[:dimension].clamp(min=0) / max(n - 1, 1)).sqrt()
    loadings: Tensor = basis @ (turn.flip(1)[:, :dimension] * spread).float()
    return loadings


def _make_orthonormal(basis: Tensor) -> None:
    """Turn the columns (V / W, K) of all workers' bases, in place, so that together they are orthonormal."""
    gram = torch.zeros(basis.shape[1], basis.shape[1], dtype=torch.float64)
    for block in torch.split(basis, BLOCK_ROWS):
        gram += block.double().T @ block.double()
    values, vectors = torch.linalg.eigh(_summed(gram))
    values = values.clamp(min=SMALL * float(values[-1].clamp(min=1e-30)))
    turn = (vectors / values.sqrt()).float()
    for block in torch.split(basis, BLOCK_ROWS):
        block.copy_(block @ turn)


def _summed(values: Tensor) -> Tensor:
    """The sum over all workers."""
    dist.all_reduce(values)
    return values
