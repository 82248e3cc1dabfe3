"""`python -m assets run [DATASET]` and `python -m assets dev`: what `make run` and `make dev` do."""

import argparse
import sys
from collections.abc import Sequence

from assets import servers
from assets.command import run
from assets.faults import in_words
from pipeline.errors import PipelineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code; a mistake of the user ends with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m assets", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_command = commands.add_parser("run", help="materialise every asset, then print the table of results")
    run_command.add_argument("dataset", nargs="?", help="only this dataset, by the name of its conf file")
    commands.add_parser("dev", help="serve Dagster's and MLflow's pages until Ctrl-C")
    options = parser.parse_args(arguments)
    try:
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
