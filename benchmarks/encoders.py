"""Encoders from a CSV of text ids to a CSR matrix: ours, what people use, and a floor of work that none can avoid."""

import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

OURS = "ours"
_CONF = """\
# Generated: users with tastes, movies with power-law popularity.
description: Generated users and movies.
example: user
tokens:
  - {kind: value, columns: movie}
task: {kind: missing_tokens}
dimensions: [32]
"""


def ours(csv: Path, out: Path) -> tuple[int, ...]:
    """The way of the pipeline: Parquet, split, vocabulary on the training examples, CSR on disk."""
    return encoded("source: {path: watched.csv}", csv.parent, out)


def encoded(settings: str, data: Path, out: Path) -> tuple[int, ...]:
    """Make the examples of the generated pairs with the pipeline.

    Args:
        settings: where the pairs are, and what else a conf file says of them.
        data: the folder of the files that it names.
        out: where the examples are kept.

    Returns:
        The numbers of examples, of tokens and of pairs.
    """
    from pipeline.config.files import load
    from pipeline.examples.encoding import encode
    from pipeline.records.ingest import ingest
    from pipeline.vocabulary.counted import count

    path = out / "generated.yaml"
    path.write_text(f"{_CONF}{settings}\n")
    conf = load(path)
    records = ingest(conf, data, out / "records")
    counted = count(records, conf)
    examples = encode(records.frame, counted.vocabulary, conf, counted.table_of(records, conf))
    examples.save(out)
    counted.save(out)
    return (*examples.shape, len(examples.indices) + examples.about["unknown_tokens"])


def pandas(csv: Path, out: Path) -> tuple[int, ...]:
    """pandas.factorize of both columns, then SciPy's CSR."""
    import numpy as np
    import pandas as pd
    from scipy import sparse

    frame = pd.read_csv(csv, dtype=str)
    (users, of_users), (movies, of_movies) = (pd.factorize(frame[name]) for name in ("user", "movie"))
    ones = np.ones(len(frame), np.float32)
    matrix = sparse.csr_matrix((ones, (users, movies)), shape=(len(of_users), len(of_movies)))
    matrix.sort_indices()
    sparse.save_npz(out / "matrix.npz", matrix, compressed=False)
    return (*matrix.shape, matrix.nnz)


def polars(csv: Path, out: Path) -> tuple[int, ...]:
    """Counts, joins and a sort in Polars' streaming engine, as most people write it."""
    import numpy as np
    import polars as pl

    records = pl.scan_csv(csv)
    movies = records.group_by("movie").agg(n=pl.len()).sort("n", "movie", descending=[True, False]).collect()
    users = records.select("user").unique().sort("user").collect(engine="streaming")
    entries = (
        records.join(movies.lazy().select("movie").with_row_index("index"), on="movie")
        .join(users.lazy().with_row_index("row"), on="user")
        .select("row", "index")
        .sort("row", "index")
        .collect(engine="streaming")
    )
    indptr = np.searchsorted(entries["row"].to_numpy(), np.arange(users.height + 1))
    np.save(out / "indptr.npy", indptr)
    np.save(out / "indices.npy", entries["index"].to_numpy())
    return users.height, movies.height, entries.height


def floor(csv: Path, out: Path) -> tuple[int, ...]:
    """Reading the file and touching both columns."""
    import polars as pl

    touched = pl.scan_csv(csv, infer_schema=False).select(pl.all().str.len_bytes().sum(), n=pl.len())
    return (touched.collect(engine="streaming")["n"].item(),)


ENCODERS: dict[str, Callable[[Path, Path], tuple[int, ...]]] = {
    OURS: ours,
    "pandas": pandas,
    "polars": polars,
    "floor": floor,
}


NEEDED = {
    OURS: (
        "pipeline.vocabulary.counted",
        "pipeline.examples.encoding",
        "pipeline.tasks.missing_tokens",
        "pipeline.records.tokens.value",
        "pipeline.baselines.pca",
        "pipeline.baselines.popularity",
    ),
    "pandas": ("pandas", "scipy.sparse"),
    "polars": ("polars", "numpy"),
    "floor": ("polars",),
}
"""Modules that are imported before the clock starts."""


def encode(name: str, csv: Path) -> tuple[float, dict[str, Any]]:
    """Run one encoder: its seconds, the number of pairs it found, and the bytes that it has to move at least.

    The number of pairs shows whether all encoders found the same.
    """
    for module in NEEDED[name]:
        import_module(module)
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        found = ENCODERS[name](csv, Path(out))
        seconds = time.perf_counter() - start
    moved = csv.stat().st_size + 4 * found[-1] * (name != "floor")  # the file in, an integer of 4 bytes per pair out
    return seconds, {"pairs": found[-1], "bytes": moved, "multiply_adds": 0}
