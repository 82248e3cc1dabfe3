"""`make benchmark`: run the confs of this folder whose data is there, then write the tables of README.md anew.

Each result keeps the machine and the day it was measured on in `results/`, so that one data set can be run again alone.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import page
from pipeline.config.files import conf_files, load
from pipeline.experiment.comparison import Comparison
from pipeline.views import tables
from pipeline.views.answer import answer

HERE = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the data sets whose files are there, then write README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("dataset", nargs="?", help="only this one, by the name of its conf file")
    parser.add_argument("--tables-only", action="store_true", help="write README.md from the results that are there")
    options = parser.parse_args(arguments)
    home = Path(os.environ.get("PIPELINE_HOME") or HERE.parent / "var" / "benchmarks").absolute()
    for path in [] if options.tables_only else conf_files(HERE / "conf"):
        if (options.dataset or path.stem) != path.stem:
            continue
        missing = [name for name in load(path).source.path or () if not (path.parent / name).exists()]
        if missing:
            print(f"{path.stem}: {missing[0]} is not there, see `python -m benchmarks.prepare --help`")
            continue
        environment = {**os.environ, "PIPELINE_HOME": str(home), "PIPELINE_CONF": str(HERE / "conf")}
        done = subprocess.run([sys.executable, "-m", "assets", "run", path.stem], env=environment, check=False)
        if done.returncode:
            return done.returncode
        comparison = Comparison.load(home / "data" / path.stem / "comparison")
        found = {
            "table": tables.cells(comparison),
            "verdicts": tables.verdict_cells(comparison),
            "sentences": [answer(comparison), *tables.sentences(comparison)],
        }  # fmt: skip
        page.keep(path.stem, found, ("torch", "polars", "implicit", "scikit-learn"))
    print(page.write())
    return 0


if __name__ == "__main__":
    sys.exit(main())
