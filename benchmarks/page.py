"""The README.md of the benchmarks, and the results behind it, each with its machine, day and package versions."""

import datetime as dt
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import yaml

from pipeline.config.files import load

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
ORDER = (
    "movies_sample",
    "homes_sample",
    "reviews",
    "artworks",
    "movielens_1m_80",
    "movielens_1m_30",
    "gowalla",
    "movielens_20m",
    "edinburgh",
)
SPEED = (
    "encode",
    "sources",
    "learn",
    "gpu",
    "answer",
    "interval",
    "stability",
    "lists",
    "order",
    "scale",
    "overhead",
    "cores",
    "maps",
    "refresh",
    "ahead",
)
_HEAD = """\
# Benchmarks

The contest on public data in published protocols, each declared by a file in `benchmarks/conf`. This page is written by

```console
$ make benchmark                      # every data set whose file is there; DATASET=gowalla does one
```

The samples need nothing. `reviews` and `artworks` come with a package. The others are made from their original files,
which you fetch yourself:

```console
$ .venv/bin/python -m benchmarks.prepare --help
$ .venv/bin/python -m benchmarks.prepare reviews
$ .venv/bin/python -m benchmarks.prepare gowalla path/to/folder
```

Each row is the fit of one seed. What had to be chosen (epochs, a baseline's settings) was chosen on validation, and
where the conf says `refit` every method was then fitted on training and validation together; the test examples were
looked at once. ± is half the width of a 95% interval, and a verdict is that of the paired difference on the same
examples; a line below each table says whether they cover the test examples alone or the seeds too. Figures of others
are quoted with their source; where they were selected on the test part they flatter a little.
"""

_SPEED = """\
On generated data (`benchmarks/generate.py`), every contestant in a process of its own, in turn, in one go:

```console
$ make bench
$ make bench SIZE=course    # half a million users, a million movies
$ make bench CONTEST=encode # or sources, learn, answer, interval, stability, lists, order, scale, overhead, cores, maps
```

**encode**: where a CSV becomes a CSR matrix ours does more than the others: it splits the examples, counts the
vocabulary on the training ones only, marks what goes in and what is predicted, and keeps the raw records as Parquet.
**sources**: the same pairs, with a rating each, by our way from other sources than a CSV file, and with a filter or a
weight; PostgreSQL runs on the same machine, and what it needs itself is not counted. **learn**: where the matrix
becomes an embedding all learn from the same training examples and are evaluated on the same held-out ones; nobody is
tuned, but ALS has the alpha that did best of 5, 20 and 50 on such data. The plain loop is there for its pace: its
recall is that of 100 steps. Libraries are loaded before the clock starts. The floor is the time that the bytes take
which each has to move, or the multiply-adds that it has to do, whichever is more, at what the machine was measured to
do at most. **gpu** (`.venv/bin/python -m benchmarks.gpu`): the same on a GPU, and Gowalla to the quality of the
processor. **answer**: the best tokens for one person, on one core, beside scoring all; for 16 clients that ask for a
minute; and for everybody. **interval**: the conformal interval on the homes. **stability**: how many of a film's
nearest would be the same with other people, and how many of those that replicas support. The goal for two samples of
four fifths is .60, and .80 for frequent films. **lists**: lists whose tokens say little or much about each other, with
what is tried first alone, and with the defaults, of which validation chooses. **order**: lists in which what comes next
depends on what came last, and others, beside the same lists as bags. **scale**: the same way at four sizes.
**overhead**: the library's calls one after the other with a folder in the place of MLflow, and the same inside Dagster
with MLflow, warm, in one process, up to the exports; and where the time of the library alone goes. **maps**: the size
of the page of a latent space, and the time until it is drawn. **cores**: `make run` of the samples where the parts of
a fit are done side by side on idle cores, beside one process that does them all.
**refresh** (`.venv/bin/python -m benchmarks.refresh`, and with the argument `movielens_1m`): a fit that goes on from
the last one when the data has grown, beside one from the beginning. **ahead** (`.venv/bin/python -m benchmarks.ahead`):
attempts to make the learned embedding better, chosen on people who test nothing; those that failed stand there, too.
"""


def keep(name: str, found: dict[str, Any], packages: Sequence[str]) -> None:
    """Write a result with the day, the machine and the versions of these packages."""
    RESULTS.mkdir(exist_ok=True)
    result = {
        **found,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine(),
        "versions": {package: version(package) for package in packages},
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def machine() -> str:
    """Processor, number of cores and memory, as text."""
    names = [line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {memory:.0f} GB"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def write() -> Path:
    """Write README.md from the confs, the results and the published figures."""
    published = yaml.safe_load((HERE / "published.yaml").read_text())
    sections = [_section(name, published.get(name)) for name in ORDER]
    path = HERE / "README.md"
    path.write_text("\n".join([_HEAD, *sections, *_speed()]))
    return path


def _speed() -> list[str]:
    """Lines of the section about time and memory, with each size that was measured."""
    lines = ["## Speed\n", _SPEED]
    for contest in SPEED:
        for path in sorted(RESULTS.glob(f"speed_{contest}_*.json")):
            found = json.loads(path.read_text())
            versions = ", ".join(f"{package} {number}" for package, number in found["versions"].items())
            lines += [f"### {found['title']}\n"]
            for cells in found["tables"]:
                lines += [_markdown(cells), ""]
            notes = [*found["notes"], f"{found['date']}, {found['machine']}; {versions}"]
            lines += [*(f"- {note}" for note in notes), ""]
    return lines


def _section(name: str, published: dict[str, Any] | None) -> str:
    conf = load(HERE / "conf" / f"{name}.yaml")
    lines = [f"## {name}\n", conf.description, ""]
    path = RESULTS / f"{name}.json"
    if path.exists():
        found = json.loads(path.read_text())
        versions = ", ".join(f"{package} {number}" for package, number in found["versions"].items())
        lines += [_markdown(found["table"]), "", _markdown(found["verdicts"]), ""]
        lines += [f"- {said}" for said in found["sentences"]]
        lines += [f"- {found['date']}, {found['machine']}; {versions}", ""]
    else:
        lines += ["Not measured yet.", ""]
    if published:
        head = ["published", *published["metrics"], "source", "selected on", "seeds"]
        rows = [[str(cell) for cell in row] for row in published["figures"]]
        lines += [_markdown([head, *rows]), "", f"Measured on {published['measured_on']}.", ""]
    return "\n".join(lines)


def _markdown(cells: list[list[str]]) -> str:
    head, *rows = cells
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows))
