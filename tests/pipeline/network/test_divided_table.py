"""A table that is divided among processes gives the rows, the gradients and the start that a whole one gives."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3]
PROCESSES = """
    import json, os, sys
    import numpy as np
    import torch
    import torch.distributed as dist
    from scipy import sparse
    from pipeline.examples.example_set import SparseRows
    from pipeline.network import divided_start
    from pipeline.network.divided_table import DividedRows, Exchange, joined_rows
    from pipeline.network.sampled_softmax import RowWiseAdagrad
    from pipeline.baselines.principal_components import principal_components

    V, D, STEPS = 103, 4, 5

    def whole():
        return torch.randn(V, D, generator=torch.Generator().manual_seed(0))

    def batch(step, rank):
        random = np.random.default_rng([step, rank])
        tokens = torch.from_numpy(np.sort(random.choice(V, 30, replace=False)))
        return tokens, torch.from_numpy(random.normal(size=(30, D)).astype("float32"))

    def steps(exchange):
        rows = DividedRows(whole()[exchange.rank :: exchange.size].clone(), exchange)
        optimiser, seen = RowWiseAdagrad(rows.parameters(), lr=0.5), []
        for step in range(STEPS):
            tokens, towards = batch(step, exchange.rank)
            fetched = rows(tokens)
            seen.append(fetched.detach())
            optimiser.zero_grad()
            (fetched * towards).sum().backward()
            optimiser.step()
        return {"weight": rows.weight.detach(), "seen": torch.stack(seen)}, exchange.bytes_sent

    def planted():
        random = np.random.default_rng(0)
        places = random.integers(0, 2, 300)[:, None] * 50 + random.integers(0, 52, (300, 12))
        matrix = sparse.csr_matrix((np.ones(3600, "float32"), places.ravel(), np.arange(0, 3601, 12)), shape=(300, V))
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix

    def start(exchange):
        cut = slice(300 * exchange.rank // exchange.size, 300 * (exchange.rank + 1) // exchange.size)
        own = divided_start._sample_of(SparseRows.of(planted()).cut(cut), 0)
        columns = divided_start._own_columns(own, len(range(exchange.rank, V, exchange.size)), exchange)
        assert (columns != planted()[:, exchange.rank :: exchange.size]).nnz == 0
        weight = np.linspace(0.5, 2, V)
        return divided_start._loadings(columns, weight[exchange.rank :: exchange.size], 3, exchange.rank, 1e-6)

    def process(rank, size, folder):
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
        exchange = Exchange()
        state, sent = steps(exchange)
        torch.save({**state, "sent": sent, "start": start(exchange)}, f"{folder}/{rank}")
        dist.destroy_process_group()

    folder, size = sys.argv[1], int(sys.argv[2])
    children = []
    for rank in range(size):
        child = os.fork()
        if not child:
            process(rank, size, folder)
            os._exit(0)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)

    found = [torch.load(f"{folder}/{rank}") for rank in range(size)]
    joined = joined_rows([{"table.weight": one["weight"]} for one in found], V)["table.weight"]
    table = torch.nn.Parameter(whole())
    optimiser, off, sent = RowWiseAdagrad([table], lr=0.5), 0.0, [0] * size
    for step in range(STEPS):
        parts = [batch(step, rank) for rank in range(size)]
        off = max(off, *(float((table[part[0]] - one["seen"][step]).abs().max()) for part, one in zip(parts, found)))
        tokens = torch.cat([part[0] for part in parts])
        values = torch.cat([part[1] for part in parts]) / size
        table.grad = torch.sparse_coo_tensor(tokens[None], values, table.shape)
        optimiser.step()
        for rank, (tokens, _) in enumerate(parts):
            sent[rank] += 8 * (size - 1) + int((tokens % size != rank).sum()) * (4 + 4 * D)
            for other in range(size):
                sent[other] += int((tokens % size == other).sum()) * 4 * D * (other != rank)
    exact = principal_components(planted().astype("float64"), 3, 0, weight=np.linspace(0.5, 2, V)).loadings
    loadings = joined_rows([{"a.weight": one["start"]} for one in found], V)["a.weight"].numpy()
    print(json.dumps({
        "rows": off,
        "table": float((joined - table).abs().max()),
        "sent": [one["sent"] for one in found] == sent,
        "start": float(np.abs(loadings @ loadings.T - exact @ exact.T).max() / np.abs(exact @ exact.T).max()),
    }))
"""
"""Forks processes that divide a table among them, and compares what they have made with what one process makes."""


@pytest.fixture(scope="module", params=[2, 4])
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How far the divided table is off the whole one."""
    folder = tmp_path_factory.mktemp("processes")
    command = [sys.executable, "-c", textwrap.dedent(PROCESSES), str(folder), str(request.param)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_rows_and_steps_are_those_of_a_whole_table(compared: dict[str, Any]) -> None:
    """The same gradients are added up in another order, so that the last bits may differ."""
    assert compared["rows"] < 1e-5
    assert compared["table"] < 1e-5


def test_the_bytes_that_leave_a_process_are_those_of_the_rows_of_others(compared: dict[str, Any]) -> None:
    """Of each token that another owns the number (4 bytes), its row there and back; and one count for each process."""
    assert compared["sent"]


def test_the_start_has_the_components_of_a_pca_in_one_process(compared: dict[str, Any]) -> None:
    """The loadings have a sign of their own in each solver: L L^T has none."""
    assert compared["start"] < 0.01
