"""The command `embedding-pipeline`: `new NAME SOURCE` writes a conf file, `run [DATASET]` learns, `dev` shows."""

import argparse
import sys
from collections.abc import Sequence

from assets import servers
from assets.command import new, run
from assets.faults import in_words
from pipeline.errors import PipelineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code; a mistake of the user ends with one sentence."""
    parser = argparse.ArgumentParser(prog="embedding-pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_command = commands.add_parser("run", help="materialise every asset, then print the table of results")
    run_command.add_argument("dataset", nargs="?", help="only this dataset, by the name of its conf file")
    new_command = commands.add_parser("new", help="look at data, and write a conf file for it that runs")
    new_command.add_argument("name", help="of the dataset: letters, digits and _")
    new_command.add_argument("source", help="a path, glob, folder or URL of files, or the address of a database")
    new_command.add_argument("--query", help="the query in SQL, if the source is a database")
    commands.add_parser("dev", help="serve Dagster's and MLflow's pages until Ctrl-C")
    options = parser.parse_args(arguments)
    try:
        if options.command == "new":
            return new(options.name, options.source, options.query)
        return run(options.dataset or None) if options.command == "run" else servers.serve()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        words = in_words(error)
        if words is None:
            raise
        print(f"error: {words}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
