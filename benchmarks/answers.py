"""What an answer costs: the best tokens for one person, for 16 clients over HTTP, and for everybody.

Lists are those of the held-out users of the generated data. Recall is beside scoring all tokens exactly.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.apart import apart
from benchmarks.clients import ask, serving
from benchmarks.encoders import ours

PEOPLE = 1_000
"""People who are asked about one after the other."""


def prepared(csv: Path, folder: Path) -> None:
    """Learn D=32 from the generated data by the defaults, and put together the model, as a run does."""
    from benchmarks.learners import LEARNERS, task_of
    from pipeline.experiment.packaging import package
    from pipeline.inference.saved_fit import Material, save_fitted

    task = task_of(folder)
    fitted = LEARNERS["ours"](task).fitted
    fit = folder / "fit"
    fit.mkdir()
    save_fitted(fitted, "embedding", task.conf, "none", fit)
    about = pl.DataFrame(schema={})
    facts = {"name": "generated", "dataset": "generated", "fit": "embedding D=32", "said": "embedding D=32."}
    begin = time.perf_counter()
    package(task.conf, Material(fit, about, pl.LazyFrame()), facts, folder / "model")
    (folder / "packaged.json").write_text(json.dumps(time.perf_counter() - begin))


def one(folder: Path) -> dict[str, float]:
    """The best 20 tokens for one person, on one core: percentiles in milliseconds, and the recall."""
    _on_one_core()
    model, lists = _model(folder), _lists(folder)
    inputs, _ = model.encoded(lists)
    model.best.of(inputs[:1], 20)
    found, times = [], []
    for i in range(len(lists)):
        begin = time.perf_counter()
        found.append(model.answers([{"tokens": lists[i]}], {"k": 20, "why": False})[0])
        times.append(1e3 * (time.perf_counter() - begin))
    some = 200
    begin = time.perf_counter()
    exact = model.best.of(inputs[:some], 20, exact=True)
    exactly = 1e3 * (time.perf_counter() - begin) / some
    names = model.fitted.embedding.vocabulary.tokens["token"]
    hits = [
        len({one["token"] for one in answer["recommendations"]} & set(names.gather(row)))
        for answer, row in zip(found[:some], exact.tokens, strict=False)
    ]
    median, last = np.percentile(times, [50, 99])
    return {"p50_ms": median, "p99_ms": last, "recall": float(np.mean(hits)) / 20, "exact_ms": exactly}


def places(folder: Path) -> dict[str, float]:
    """The exact best 20 of 40,000 places at D=256 with random weights, on one core: percentiles in milliseconds."""
    _on_one_core()
    from scipy import sparse

    from pipeline.config.dataset import Dataset
    from pipeline.embedding import Embedding
    from pipeline.inference.best_tokens import BestTokens
    from pipeline.network.fitted_network import FittedNetwork
    from pipeline.vocabulary.vocabulary import Vocabulary

    v, d, random = 40_000, 256, np.random.default_rng(0)
    table = random.normal(size=(v, d)).astype(np.float32)
    weights = {"table.weight": table, "bias.weight": np.zeros((v, 1), np.float32)}
    weights |= {"lift": np.array(1.0, np.float32), "temperature": np.array(0.1, np.float32)}
    embedding = Embedding(Vocabulary.of({f"p{i:05d}": v - i for i in range(v)}), table)
    conf = {
        "name": "p", "description": "p", "source": {"path": "p"}, "tokens": [{"kind": "value", "columns": "p"}],
        "task": {"kind": "missing_tokens"}, "dimensions": [d],
    }  # fmt: skip
    task = Dataset.model_validate(conf).task
    best = BestTokens(FittedNetwork(embedding, weights, task, task.network), exact_up_to=v)
    times = []
    for _ in range(500):
        row = np.sort(random.choice(v, 50, replace=False))
        inputs = sparse.csr_matrix((np.ones(50), row, [0, 50]), shape=(1, v))
        begin = time.perf_counter()
        best.of(inputs, 20)
        times.append(1e3 * (time.perf_counter() - begin))
    median, last = np.percentile(times[10:], [50, 99])
    return {"p50_ms": median, "p99_ms": last}


def bulk(folder: Path) -> dict[str, float]:
    """The best 100 tokens for everybody, written as Parquet: minutes, and the recall on a sample."""
    import logging

    from pipeline.examples.sparse_examples import SparseExamples
    from pipeline.inference.bulk import recommend_each
    from pipeline.vocabulary.vocabulary import Vocabulary

    model, examples = _model(folder), SparseExamples.load(folder)
    begin = time.perf_counter()
    out = folder / "recommended"
    made = recommend_each(model, examples, Vocabulary.load(folder), out, logging.getLogger("bulk"))
    seconds = time.perf_counter() - begin
    rows = examples.everything()
    some = np.sort(np.random.default_rng(0).permutation(len(rows))[:200])
    begin = time.perf_counter()
    exact = model.best.of(rows.inputs[some], 100, exact=True)
    exactly = (time.perf_counter() - begin) / len(some) * len(rows)
    names = model.fitted.embedding.vocabulary.tokens["token"]
    ids = rows.ids.gather(some)
    found = made.frame.filter(pl.col("example").is_in(ids.implode())).collect().group_by("example").agg("token")
    of = dict(zip(found["example"], found["token"], strict=True))
    hits = [
        len(set(of[name]) & set(names.gather(row[row >= 0]))) / max(int((row >= 0).sum()), 1)
        for name, row in zip(ids, exact.tokens, strict=True)
    ]
    return {"people": len(rows), "minutes": seconds / 60, "recall": float(np.mean(hits)), "exact_minutes": exactly / 60}


def served(folder: Path) -> dict[str, float]:
    """Requests per second that 16 clients get from `make serve`, and from a bare FastAPI route."""
    bodies = [
        json.dumps({"dataframe_records": [{"tokens": tokens}], "params": {"k": 20, **more}}).encode()
        for more in ({"why": False}, {})
        for tokens in _lists(folder)
    ]
    plain, bare = bodies[: len(bodies) // 2], bodies[len(bodies) // 2 :]
    found = {}
    servers = {
        "ours": ([sys.executable, "-m", "assets", "serve", str(folder / "model")], plain),
        "bare": ([sys.executable, "-m", "benchmarks.bare", str(_data(folder))], bare),
    }
    for name, (command, asked) in servers.items():
        with serving(command, name) as port:
            found |= {f"{name}_{key}": value for key, value in ask(port, asked).items()}
    return found


PARTS: Mapping[str, Callable[[Path], dict[str, float]]] = {"one": one, "places": places, "served": served, "bulk": bulk}


def measured(size: str, csv: Path, elsewhere: Callable[[str, str, Path], dict[str, float]]) -> dict[str, Any]:
    """All parts, each in a process of its own.

    Args:
        size: as people read it.
        csv: the generated pairs.
        elsewhere: measures a part in a fresh process.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apart(ours, csv, folder)
        apart(prepared, csv, folder)
        found = {}
        for part in PARTS:
            found[part] = elsewhere("answer", part, folder)
            print(f"{part}: {', '.join(f'{key} {value:,.4g}' for key, value in found[part].items())}", flush=True)
        packaged = json.loads((folder / "packaged.json").read_text())
    alone, some, web, all_of_them = (found[part] for part in ("one", "places", "served", "bulk"))
    return {
        "title": f"answer, {size}",
        "tables": [
            [
                ["one person's best 20, one core", "median, ms", "99%, ms", "recall", "scoring all, ms"],
                ["of this vocabulary, D=32", *_ms(alone), f"{alone['recall']:.3f}", f"{alone['exact_ms']:.1f}"],
                ["of 40,000 places, D=256", *_ms(some), "exact", f"{some['p50_ms']:.1f}"],
            ],
            [
                ["16 clients over HTTP, 60 s", "requests/s", "of the bare route", "lost", "median, ms", "99%, ms"],
                *([_SAID[name], *_of_web(web, name)] for name in ("ours", "bare")),
            ],
            [
                ["the best 100 for everybody", "people", "minutes", "peak memory, MB", "recall", "all, minutes"],
                [
                    "recommendations", f"{all_of_them['people']:,.0f}", f"{all_of_them['minutes']:.1f}",
                    f"{all_of_them['peak_mb']:,.0f}", f"{all_of_them['recall']:.3f}",
                    f"{all_of_them['exact_minutes']:.0f}",
                ],
            ],
        ],
        "notes": [f"putting the model together, with its index, took {packaged:.0f} s"],
    }  # fmt: skip


_SAID = {"ours": "make serve", "bare": "a bare FastAPI route, NumPy over all tokens"}


def _ms(found: Mapping[str, float]) -> tuple[str, str]:
    return f"{found['p50_ms']:.1f}", f"{found['p99_ms']:.1f}"


def _of_web(found: Mapping[str, float], name: str) -> list[str]:
    own = {key.partition("_")[2]: value for key, value in found.items() if key.startswith(name)}
    ratio = own["per_second"] / found["bare_per_second"]
    return [f"{own['per_second']:,.0f}", f"{ratio:.2f}", f"{own['lost']:.0f}", *_ms(own)]


def _data(folder: Path) -> Path:
    return folder / "model" / "artifacts" / "model"


def _model(folder: Path) -> Any:
    from pipeline.inference.model import Model

    return Model.load(_data(folder))


def _lists(folder: Path) -> list[list[str]]:
    """What held-out people watched, as far as it goes in."""
    from pipeline.examples.sparse_examples import SparseExamples
    from pipeline.vocabulary.vocabulary import Vocabulary

    rows = SparseExamples.load(folder).held_out("test", at_most=PEOPLE, seed=1)
    tokens = Vocabulary.load(folder).tokens["token"]
    return [tokens.gather(rows.inputs[[i]].indices).to_list() for i in range(len(rows)) if rows.inputs[[i]].nnz]


def _on_one_core() -> None:
    """Bind this process, and all threads of the libraries that it loads, to one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import torch

    torch.set_num_threads(1)
