"""From the command line: serve the champion over HTTP or as a page, score a file with it, choose another version."""

import glob
import importlib.util
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pipeline
from assets.addresses import HOST, port
from assets.home import home
from assets.resources import mlflow_from_environment
from assets.servers import require_free
from assets.workplace import workplace
from pipeline.errors import PipelineError, number_of
from pipeline.experiment.client import client_of
from pipeline.experiment.load_model import load, model_folder
from pipeline.experiment.model_registry import ModelRegistry
from pipeline.experiment.packaging import data_of
from pipeline.home import project, typed
from pipeline.inference.file_scoring import ANSWERS, score_file
from pipeline.records.source.paths import without_ending

PORT, TRY_PORT = 5002, 8501
"""Where the champion answers by default, and where its page is."""
_STREAMS = (Path("/dev"), Path("/dev/fd"))
"""Where standard input and the output of other commands have a name."""


def serve(dataset: str) -> int:
    """Answer over HTTP until Ctrl-C: MLflow's scoring server with the champion in it.

    Raises:
        PipelineError: there is no such model, or the port is taken.
    """
    number = port("SERVE_PORT", PORT)
    folder = Path(dataset) if (Path(dataset) / "MLmodel").is_file() else model_folder(dataset, _tracking_uri())
    require_free(number, f"SERVE_PORT={number + 1} {typed('serve', dataset)}")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    import uvicorn
    from threadpoolctl import threadpool_limits

    from pipeline.experiment.serving import app_of

    app = app_of(folder)
    model = app.model
    threadpool_limits(1)  # requests are answered side by side: threads inside one would only wait for each other
    request = json.dumps({"dataframe_records": model.example()}, ensure_ascii=False)
    print(
        f"{model.facts['name']}: {model.facts['said']}\n\n"
        f"curl http://{HOST}:{number}/invocations -H 'Content-Type: application/json' -d @- <<'end'\n{request}\nend\n\n"
        "It answers with this version, also after another has become the champion. Ctrl-C ends it.",
        flush=True,
    )
    uvicorn.run(app, host=HOST, port=number, log_level="warning")
    return 0


def try_it(dataset: str) -> int:
    """Serve a page on which to try the champion, until Ctrl-C.

    Raises:
        PipelineError: there is no such model, the port is taken, or Streamlit is not installed.
    """
    number = port("TRY_PORT", TRY_PORT)
    folder = model_folder(dataset, _tracking_uri())
    if importlib.util.find_spec("streamlit") is None:
        raise PipelineError("the page needs Streamlit: pip install 'embedding-pipeline[page]'")
    require_free(number, f"TRY_PORT={number + 1} {typed('try', dataset)}")
    page = Path(pipeline.__file__).parent / "views" / "try_it" / "app.py"
    options = {
        "server.port": number,
        "server.address": HOST,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "theme.base": "light",
        "theme.primaryColor": "#4c78a8",
        "logger.level": "error",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(page)]
    command += [f"--{name}={value}" for name, value in options.items()]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job would ignore it
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(page.parents[3]), *sys.path])}
    server = subprocess.Popen([*command, "--", str(data_of(folder))], env=environment, stdout=subprocess.DEVNULL)
    try:
        while server.poll() is None and not _is_open(number):
            time.sleep(0.2)
        if server.poll() is None:
            print(f"\n{dataset}: http://{HOST}:{number}\nCtrl-C ends it.\n", flush=True)
        server.wait()
        raise PipelineError("the page ended by itself; what it printed above says why.")
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        server.wait()


def score(dataset: str, source: str) -> int:
    """Write the champion's answers to the records of a file beside it, as `<name>.scored.parquet`.

    Raises:
        PipelineError: there is no such model, or the file cannot be read.
    """
    if not dataset:
        raise PipelineError(f"say which dataset: {typed('score', 'homes')} FILE=new.csv")
    if not source:
        raise PipelineError(f"say which file: {typed('score', dataset)} FILE=new.csv")
    is_local, path = "://" not in source, Path(source).expanduser()
    if is_local and (source == "-" or path.is_fifo() or path.absolute().parent in _STREAMS):
        raise PipelineError(
            f"{source}: a stream cannot be scored, since its format and the place of the answers come from the name of "
            "a file. Write it into one first, such as `cat > new.csv`, and give that."
        )
    marks = set("*?[" if is_local else "*")  # in the address of a page, ? begins a query
    is_pattern = bool(marks & set(path.name)) and not (is_local and path.exists())
    if is_local and not is_pattern and not os.path.lexists(path):
        raise PipelineError(f"{source}: there is no such file. Correct the path: it was looked for from {Path.cwd()}.")
    name = "records" if is_pattern else without_ending(source) or "records"
    folder = path.parent if is_local and path.parent.is_dir() else Path.cwd()
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    begin = time.monotonic()
    given = str(path.absolute()) if is_local else source
    if is_local and is_pattern and path.parent.is_dir():
        given = str(Path(glob.escape(str(path.parent.absolute()))) / path.name)
    model = load(dataset, _tracking_uri())
    with workplace(folder) as meanwhile:
        made = score_file(model, given, folder / f"{name}{ANSWERS}", meanwhile, logging.getLogger("score"))
    n_answers = f"{number_of(made.n_rows, 'answer')} for {number_of(made.n_records, 'record')}"
    print(f"{made.path}: {n_answers}, in {time.monotonic() - begin:.1f} s.")
    if made.n_left_out:
        print(f"{number_of(made.n_left_out, 'more record')} could not be used: {made.why}.")
    if made.n_unknown:
        print(f"No token is known of {number_of(made.n_unknown, 'example')}: the answer is that of an empty one.")
    print(f"The first:\n{made.first}")
    return 0


def choose(dataset: str, version: str) -> int:
    """Tell which versions there are and which answers, or make another the champion.

    Args:
        dataset: whose model it is.
        version: a number, which then stays champion; `auto`, so that validation chooses again; or nothing.

    Raises:
        PipelineError: there is no such model or version.
    """
    if not dataset:
        raise PipelineError(f"say which dataset: {typed('champion', 'movies')}")
    registry = ModelRegistry(client_of(_tracking_uri()), dataset)
    registry.require()
    if version == "auto":
        registry.release()
    elif version:
        registry.pin(version)
    champion = registry.champion()
    by_hand = champion is not None and registry.is_chosen_by_hand(champion)
    for one in registry.versions():
        answers = champion is not None and one.number == champion.number
        marked = ("champion, chosen by hand" if by_hand else "champion") if answers else ""
        print(f"{one.number:>4}  {one.fit:<24} {marked:<26} {one.tags.get('verdict', '')}".rstrip())
    return 0


def _is_open(number: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, number), timeout=1):
        return True
    return False


def _tracking_uri() -> str:
    mlflow = mlflow_from_environment()
    if mlflow.is_local and not (home() / "mlflow.db").exists() and "MLFLOW_TRACKING_URI" not in os.environ:
        raise PipelineError(f"nothing was learned in {home()} yet: {typed('run')} does that, in {project()}.")
    return mlflow.tracking_uri
