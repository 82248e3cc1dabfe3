import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.network.batches import Batches
from pipeline.network.lists import Lists


def test_lists_are_the_rows_of_the_matrix_and_can_lose_tokens() -> None:
    lists = Lists.of(sparse.csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32)))
    assert lists.tokens.tolist() == [0, 2, 1]
    assert lists.offsets.tolist() == [0, 2, 2]
    assert lists.rows.tolist() == [0, 0, 2]
    fewer = lists.keep(torch.tensor([False, True, True]))
    assert (fewer.tokens.tolist(), fewer.offsets.tolist()) == ([2, 1], [0, 1, 1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("are_weighted", [False, True])
def test_sums_and_means_and_their_gradients_are_those_of_the_matrix(dtype: torch.dtype, are_weighted: bool) -> None:
    """Also where the lists are grouped by token, which makes gradients fast."""
    random = np.random.default_rng(0)
    matrix = (random.random((6, 8)) < 0.3) * (random.uniform(0.1, 9, (6, 8)) if are_weighted else 1.0)
    matrix[2] = 0
    lists = Lists.of(sparse.csr_matrix(matrix))
    assert (lists.weights is not None) == are_weighted
    plain = torch.from_numpy(matrix).to(dtype)
    totals = plain.sum(dim=1, keepdim=True)
    means = plain / torch.where(totals > 0, totals, 1.0)
    values, weight = (torch.from_numpy(random.normal(size=size)).to(dtype) for size in ((8, 3), (6, 3)))
    for some in (lists, lists.grouped(8)):
        for found, expected in ((some.sum, plain), (some.mean, means)):
            table = values.clone().requires_grad_()
            bags = found(table)
            (bags * weight).sum().backward()  # type: ignore[no-untyped-call]
            torch.testing.assert_close(bags.detach(), expected @ values)
            torch.testing.assert_close(table.grad, expected.T @ weight)


def test_a_token_keeps_its_weight_when_others_leave_the_list() -> None:
    lists = Lists.of(sparse.csr_matrix(np.array([[3.0, 0, 2], [0, 0.5, 0]])))
    fewer = lists.keep(torch.tensor([False, True, True]))
    assert fewer.weights is not None
    assert (fewer.tokens.tolist(), fewer.weights.tolist()) == ([2, 1], [2.0, 0.5])


def test_lists_can_be_joined_row_by_row() -> None:
    one, other = (
        Lists.of(sparse.csr_matrix(np.array(rows, np.float32)))
        for rows in ([[1, 0, 0], [0, 0, 0], [0, 1, 0]], [[0, 1, 1], [1, 0, 0], [0, 0, 0]])
    )
    joined = one.joined(other)
    assert joined.tokens.tolist() == [0, 1, 2, 0, 1]
    assert joined.offsets.tolist() == [0, 3, 4]
    assert joined.rows.tolist() == [0, 0, 0, 1, 2]


def test_each_example_comes_once_an_epoch_in_an_order_that_the_generator_decides() -> None:
    rows = ExampleSet(
        ids=pl.Series([str(i) for i in range(10)]),
        inputs=SparseRows.of(sparse.identity(10, dtype=np.float32, format="csr")),
        labels=SparseRows.of(sparse.csr_matrix((10, 10), dtype=np.float32)),
        dense=np.empty((10, 0)),
        target=np.arange(10.0),
    )

    def epoch(loader: object) -> list[int]:
        return [int(token) for batch in loader for token in batch["inputs"].tokens]  # type: ignore[attr-defined]

    batches = Batches(rows, rows.dense, rows.target)
    loader = batches.loader(4, torch.Generator().manual_seed(1))
    first, second = epoch(loader), epoch(loader)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert epoch(batches.loader(4, torch.Generator().manual_seed(1))) == first
    assert epoch(batches.loader(4)) == list(range(10))
    assert [len(batch["target"]) for batch in loader] == [4, 4, 2]


def batches(n: int) -> Batches:
    rows = ExampleSet(
        ids=pl.Series([str(i) for i in range(n)]),
        inputs=SparseRows.of(sparse.identity(n, dtype=np.float32, format="csr")),
        labels=SparseRows.of(sparse.csr_matrix((n, n), dtype=np.float32)),
        dense=np.empty((n, 0)),
        target=np.arange(float(n)),
    )
    return Batches(rows, rows.dense, rows.target)


@given(n=st.integers(1, 40), processes=st.integers(1, 5))
def test_each_process_has_a_part_of_the_same_size_and_none_is_left_out(n: int, processes: int) -> None:
    parts = [batches(n).part(i, processes) for i in range(processes)]
    assert {len(part) for part in parts} == {-(-n // processes)}
    for part in parts:
        assert part.rows.ids.to_list() == [str(int(number)) for number in part.target]
        assert (np.diff(part.target) == 1).all()
        assert (part.rows.inputs.csr().indices == part.target).all()
    assert {number for part in parts for number in part.target} == set(range(n))


@given(done=st.integers(0, 9), epochs=st.integers(0, 2))
def test_an_epoch_goes_on_behind_the_batches_that_are_done(done: int, epochs: int) -> None:
    """The same batches follow as if nothing had happened, in this epoch and in the next one."""
    loader, other = (batches(37).loader(4, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    for _ in range(epochs):
        list(loader)
    some = iter(loader)
    for _ in range(done):
        next(some)
    state = loader.state_dict()
    rest = [batch["target"].tolist() for batch in (*some, *loader)]
    other.load_state_dict(state)
    assert [batch["target"].tolist() for batch in (*other, *other)] == rest


def test_rows_go_to_another_process_as_a_place_in_a_file(tmp_path: Path) -> None:
    """What is sent does not grow with the pairs."""
    n = 10_000
    matrix = sparse.csr_matrix(np.ones((n, 5), np.float32))
    for name in ("indptr", "indices"):
        np.save(tmp_path / f"{name}.npy", getattr(matrix, name))
    indptr, indices = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("indptr", "indices"))
    rows = SparseRows(np.arange(3), indptr, indices, None, np.empty(0), 5)
    sent = pickle.dumps(rows)
    assert len(sent) < 2000
    assert (pickle.loads(sent).csr() != rows.csr()).nnz == 0
