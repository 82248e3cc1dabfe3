"""`make run` in processes of their own that need not import everything anew: each is forked from one that has.

They can be waited for, interrupted and killed like any other. That the command starts from nothing is shown by
`make run` in test_readme, and by the installed one in test_installed.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).parents[1]
_FORKS = """
    import json, os, signal, sys, traceback
    import warnings
    warnings.simplefilter("ignore")
    import matplotlib.pyplot, mlflow.pyfunc, mlflow.tracking, pytorch_lightning, sklearn.decomposition
    from assets.__main__ import main
    from pipeline.network import callbacks, missing_tokens_module, training

    def begin(arguments, environment, folder, often):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.environ.update(environment)
        for number in (1, 2):
            os.dup2(os.open(f"{folder}/{number}", os.O_WRONLY | os.O_CREAT), number)
        if often:
            callbacks.CHECKPOINT_SECONDS, callbacks.CHECKPOINT_STEPS = 0.05, 1
        try:
            code = main(arguments)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def reap(*_):
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not child:
                return
            folder = folders.pop(child)
            with open(f"{folder}/ending", "w") as file:
                file.write(str(os.waitstatus_to_exitcode(status)))
            os.rename(f"{folder}/ending", f"{folder}/ended")

    folders = {}
    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        request = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        child = os.fork()
        if not child:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            begin(**request)
        folders[child] = request["folder"]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        print(child, flush=True)
"""


@dataclass(frozen=True)
class Process:
    """A running or ended process."""

    pid: int
    folder: Path

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it runs."""
        ended = self.folder / "ended"
        return int(ended.read_text()) if ended.exists() else None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        with suppress(ProcessLookupError):
            if self.poll() is None:
                os.kill(self.pid, number)

    def wait(self, seconds: float = 600) -> int:
        """Wait until it has ended: the exit code.

        Raises:
            TimeoutError: it runs on.
        """
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.02)
        return code

    @property
    def out(self) -> str:
        """What it has printed."""
        return (self.folder / "1").read_text()

    @property
    def err(self) -> str:
        """What it has printed on standard error."""
        return (self.folder / "2").read_text()


class Forks:
    """Starts processes."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self._started: list[Process] = []

    def start(self, *arguments: str, often: bool = False, **environment: str) -> Process:
        """Start `embedding-pipeline` with these arguments.

        Args:
            arguments: such as `run`.
            often: whether training saves its state every moment.
            environment: more variables.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        folder = self._folder / str(len(self._started))
        folder.mkdir()
        request: Mapping[str, object] = {
            "arguments": arguments, "environment": environment, "folder": str(folder), "often": often
        }  # fmt: skip
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        self._started.append(Process(int(self._process.stdout.readline()), folder))
        return self._started[-1]

    def end(self) -> None:
        """Kill those that still run."""
        for process in self._started:
            process.send_signal(signal.SIGKILL)


@contextmanager
def forks() -> Iterator[Forks]:
    """What starts processes; none of them outlives the context."""
    code = [sys.executable, "-c", textwrap.dedent(_FORKS)]
    with (
        TemporaryDirectory(prefix="forked-") as name,
        subprocess.Popen(code, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        made = Forks(process, Path(name))
        try:
            yield made
        finally:
            made.end()
