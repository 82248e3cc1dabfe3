"""What the arithmetic predicts of two and of four workers is what they are seen to need, within 30%."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
WORKERS = """
    import json, os, sys
    from pathlib import Path
    import torch
    import torch.distributed as dist
    from benchmarks.arithmetic import Worker, touched
    from benchmarks.cluster import conf_of, generate
    from pipeline.examples.sparse_examples import SparseExamples
    from pipeline.network.batches import Batches
    from pipeline.network.missing_tokens_module import MissingTokensModule

    V, PAIRS, D, STEPS = 1_000_000, 400_000, 32, 4
    folder = Path(sys.argv[1])
    generate(V, PAIRS, folder)
    examples = SparseExamples.load(folder)
    rows = examples.training()
    counts, batches = rows.inputs.counts, Batches(rows, rows.dense, rows.target)

    def kept(name):
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    def work(rank, size, settings):
        torch.set_num_threads(1)
        torch.manual_seed(rank)
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet{size}", rank=rank, world_size=size)
        own = batches.part(rank, size)
        Path("/proc/self/clear_refs").write_text("5")  # from here on the peak counts
        before = kept("VmRSS")
        module = MissingTokensModule._of_worker(counts, STEPS, settings, D, 0.12, 1, "float32", [own])
        optimiser = module.configure_optimizers()["optimizer"]
        for step in range(STEPS):
            optimiser.zero_grad()
            module.loss(own[range(step * 64, step * 64 + 64)]).backward()
            optimiser.step()
        found = {"memory": kept("VmHWM") - before, "sent": module.bytes_sent / STEPS}
        (folder / f"{size}-{rank}").write_text(json.dumps(found))
        dist.destroy_process_group()

    told = {}
    for size in (2, 4):
        settings = conf_of(folder, D, size, 1e-9).resolved(len(rows), V).training
        children = []
        for rank in range(size):
            child = os.fork()
            if not child:
                work(rank, size, settings)
                os._exit(0)
            children.append(child)
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        worker = Worker(size, len(rows), V, len(examples.indices), D)
        told[size] = {
            "memory": worker.memory,
            "sent": worker.sent(touched(counts, len(rows), 64, settings.negatives)),
            "measured": [json.loads((folder / f"{size}-{rank}").read_text()) for rank in range(size)],
        }
    print(json.dumps(told))
"""
"""Forks workers that learn a few steps with a divided table, and compares what they needed with the prediction."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By the number of workers, what was predicted and what was measured."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells the peak of a process anew")
    command = [sys.executable, "-c", textwrap.dedent(WORKERS), str(tmp_path_factory.mktemp("workers"))]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("workers", ["2", "4"])
@pytest.mark.parametrize("what", ["memory", "sent"])
def test_a_worker_needs_what_is_predicted(told: dict[str, Any], workers: str, what: str) -> None:
    for one in told[workers]["measured"]:
        assert one[what] == pytest.approx(told[workers][what], rel=0.3)
