import numpy as np
import polars as pl
import torch
from scipy import sparse

from pipeline.batches import Batches, Lists
from pipeline.encoding import Rows, SparseRows


def test_lists_are_the_rows_of_the_matrix_and_can_lose_tokens() -> None:
    lists = Lists.of(sparse.csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32)))
    assert lists.tokens.tolist() == [0, 2, 1]
    assert lists.offsets.tolist() == [0, 2, 2]
    assert lists.rows.tolist() == [0, 0, 2]
    fewer = lists.keep(torch.tensor([False, True, True]))
    assert (fewer.tokens.tolist(), fewer.offsets.tolist()) == ([2, 1], [0, 1, 1])


def test_the_sum_over_grouped_lists_and_its_gradient_are_those_of_plain_ones() -> None:
    random = np.random.default_rng(0)
    lists = Lists.of(sparse.csr_matrix((random.random((6, 8)) < 0.3).astype(np.float32)))
    values = torch.from_numpy(random.normal(size=(8, 3)))
    weight = torch.from_numpy(random.normal(size=(6, 3)))
    found = []
    for some in (lists, lists.grouped(8)):
        places = values.clone().requires_grad_()
        total = some.sum(places)
        (total * weight).sum().backward()  # type: ignore[no-untyped-call]
        found.append((total.detach(), places.grad))
    torch.testing.assert_close(found[1], found[0])


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
    rows = Rows(
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
