"""The command `embedding-pipeline`: `new` writes a conf file, `run` learns, `dev` shows, `serve` and `score` answer."""

import argparse
import io
import os
import select
import signal
import sys
from collections.abc import Sequence

from assets.faults import in_words
from pipeline.errors import PipelineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code; a mistake of the user ends with one sentence."""
    options = _parser().parse_args(arguments)
    _open_what_is_closed()
    _write_what_can_be_written()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that nothing half-made is left behind
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` lets a command outlive its terminal
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        code = _done(options)
        sys.stdout.flush()
        return code
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        if not _is_read_no_more():
            raise
        return 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        words = in_words(error)
        if words is None:
            raise
        print(f"error: {words}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    """All commands with their arguments; `_done` calls them."""
    parser = argparse.ArgumentParser(prog="embedding-pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_command = commands.add_parser("run", help="materialise every asset, then print the table of results")
    run_command.add_argument("dataset", nargs="?", help="only this dataset, by the name of its conf file")
    new_command = commands.add_parser("new", help="look at data, and write a conf file for it that runs")
    new_command.add_argument("name", help="of the dataset: letters, digits and _")
    new_command.add_argument("source", help="a path, glob, folder or URL of files, or the address of a database")
    new_command.add_argument("--query", help="the query in SQL, if the source is a database")
    commands.add_parser("dev", help="serve Dagster's and MLflow's pages until Ctrl-C")
    serve_command = commands.add_parser("serve", help="answer over HTTP with the champion of a dataset, until Ctrl-C")
    try_command = commands.add_parser("try", help="a page on which to try the champion of a dataset, until Ctrl-C")
    score_command = commands.add_parser("score", help="answer for the records of a file with the champion of a dataset")
    champion_command = commands.add_parser("champion", help="tell which version answers, or choose another")
    for command in (serve_command, try_command, score_command, champion_command):
        command.add_argument("dataset", help="the name of its conf file")
    score_command.add_argument(
        "file", help="path, glob, folder or URL; the answers are written beside it, of a URL here"
    )
    champion_command.add_argument("version", nargs="?", default="", help="a number, or auto: validation chooses again")
    return parser


def _open_what_is_closed() -> None:
    """Send messages to nowhere where whoever started the command has closed its output."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # otherwise the next file that is opened gets the number
            setattr(sys, name, os.fdopen(number, "w"))


def _write_what_can_be_written() -> None:
    """Write a question mark for a character that the terminal's encoding lacks, such as a table's frame in Latin-1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _is_read_no_more() -> bool:
    """Whether who reads the answer has read enough, as `head` does; then the rest goes nowhere."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _done(options: argparse.Namespace) -> int:
    """Do what the command line asks for, and load only what that needs: Dagster and MLflow take seconds."""
    match options.command:
        case "new":
            from assets.proposing import new

            return new(options.name, options.source, options.query)
        case "run":
            from assets.run_command import run

            return run(options.dataset or None)
        case "dev":
            from assets.servers import serve

            return serve()
    from assets import model_commands

    match options.command:
        case "serve":
            return model_commands.serve(options.dataset)
        case "try":
            return model_commands.try_it(options.dataset)
        case "score":
            return model_commands.score(options.dataset, options.file)
    return model_commands.choose(options.dataset, options.version)


if __name__ == "__main__":
    sys.exit(main())
