"""Workers of a cluster that need not import PyTorch and Lightning anew: each is forked from a process that has.

A node that names this file as its `setup_worker_path` runs it for each worker that it starts, and it asks the process
that `forks` has started for a fork. Ray, which reads its settings as it is imported, and the pipeline are imported by
each worker. That workers start from nothing is shown in test_ray_cluster.
"""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET = "TESTS_RAY_FORKS"
"""The variable of the environment that names the socket of the process that forks."""
_CONTEXT = "--serialized-runtime-env-context="
_SERVER = """
    import json, os, runpy, signal, socket, sys
    import warnings
    warnings.simplefilter("ignore")
    import dataframely, fsspec, google.protobuf, jsonschema, msgpack, numpy, pandas, polars, psutil, pyarrow.fs
    import pydantic, pytorch_lightning, requests, scipy.sparse.linalg, torch, tqdm, uvloop, yaml

    def begin(words, environment, folder, files):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        warnings.resetwarnings()
        sys.argv, sys.path[0] = words, os.path.dirname(words[0])
        runpy.run_path(words[0], run_name="__main__")

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(sys.argv[1])
        server.listen(64)
        while True:
            asked, _ = server.accept()
            with asked:
                size, files, _, _ = socket.recv_fds(asked, 8, 3)
                text = asked.makefile("rb").read(int(size))
                if not os.fork():
                    for one in (asked, server):
                        os.close(one.detach())
                    begin(*json.loads(text), files)
                    sys.exit()
                for file in files:
                    os.close(file)
"""


@contextmanager
def forks(folder: Path) -> Iterator[str]:
    """The file that a node takes as its `setup_worker_path`, for as long as there is a process to be forked.

    Args:
        folder: where its socket is; part of the name of all its forks.
    """
    path = folder / "forks"
    command = [sys.executable, "-c", textwrap.dedent(_SERVER), str(path)]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:  # as Ray does for one CPU
        os.environ[SOCKET] = str(path)
        try:
            yield __file__
        finally:
            del os.environ[SOCKET]
            process.kill()
            path.unlink(missing_ok=True)


def _ask(words: list[str]) -> None:
    """Ask for a process that runs Ray's worker with these words, which are for Ray's own `setup_worker.py`."""
    environment = dict(os.environ)
    for word in words:
        if word.startswith(_CONTEXT):
            environment |= json.loads(word.removeprefix(_CONTEXT)).get("env_vars", {})
    text = json.dumps(
        [[word for word in words if not word.startswith((_CONTEXT, "--language="))], environment, os.getcwd()]
    ).encode()
    with socket.socket(socket.AF_UNIX) as server:
        while True:
            with suppress(FileNotFoundError, ConnectionRefusedError):  # it still imports
                server.connect(os.environ[SOCKET])
                break
            time.sleep(0.1)
        socket.send_fds(server, [f"{len(text):8}".encode()], [0, 1, 2])
        server.sendall(text)


if __name__ == "__main__":
    _ask(sys.argv[1:])
