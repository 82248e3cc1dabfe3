"""MLflow's scoring server with one model in it, whose answers do not pass through pandas.

MLflow turns each request into a frame, and each answer back. For a few tokens that takes longer than to answer, so
`/invocations` goes from JSON to the model and back; everything else is MLflow's.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.experiment.packaging import REMARKS
from pipeline.inference.model import Model
from pipeline.inference.requests import Rows, short
from pipeline.quiet import quiet

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MOST_BYTES = 16 * 2**20
"""A larger request is refused before it is read to its end."""
_TABLES = ("dataframe_records", "dataframe_split", "inputs", "instances")


class RefusedError(Exception):
    """A request that cannot be answered: the message is for people."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def app_of(folder: Path) -> "Answering":
    """The application that answers `POST /invocations`, and `GET /ping`, `/health` and `/version`.

    Args:
        folder: of a model, as MLflow made it.
    """
    with quiet(REMARKS):
        import mlflow.pyfunc
        from mlflow.pyfunc import scoring_server

        loaded = mlflow.pyfunc.load_model(str(folder))
    return Answering(scoring_server.init(loaded), loaded.unwrap_python_model().model)


class Answering:
    """Answers `POST /invocations` as MLflow's server does, with a sentence for each mistake in a request."""

    def __init__(self, app: App, model: Model) -> None:
        """Prepare for a model.

        Args:
            app: MLflow's server, for every other request.
            model: the model itself.
        """
        self.app, self.model = app, model

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        status, answer = 200, b""
        try:
            body = await _body(receive)
            kind = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
            if kind.lower() != "application/json":
                raise RefusedError("send JSON, with the header `Content-Type: application/json`.", 415)
            answer = await self.answer(body)
        except (RefusedError, PipelineError) as error:
            status, answer = getattr(error, "status", 400), _mistake("BAD_REQUEST", str(error))
        except UnicodeEncodeError:
            said = "a text has half of a character in it (a lone surrogate): cut texts between characters."
            status, answer = 400, _mistake("BAD_REQUEST", said)
        except Exception:
            logging.getLogger(__name__).exception("a request could not be answered")
            said = "the server made a mistake, which its log tells; the request may be right."
            status, answer = 500, _mistake("INTERNAL_ERROR", said)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def answer(self, body: bytes) -> bytes:
        """The answer to a request, as JSON.

        Raises:
            RefusedError, PipelineError: it is none that the model can answer.
        """
        rows, params = _read(body)
        if len(rows) == 1:  # the way to a thread and back takes longer than the answer
            return _json({"predictions": self.model.answers(rows, params)})
        return await asyncio.to_thread(lambda: _json({"predictions": self.model.answers(rows, params)}))


def _read(body: bytes) -> tuple[Rows, Mapping[str, Any]]:
    """The rows and the params of a request, which is a table in any of MLflow's forms."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"the request is no JSON: {error}.") from None
    if not isinstance(request, dict):
        raise RefusedError('the request is no JSON object, such as {"dataframe_records": [{...}]}.')
    tables = [name for name in request if name in _TABLES]
    odd = next((name for name in request if name not in (*_TABLES, "params")), None)
    if odd is not None or len(tables) != 1:
        said = f"there is no field {short(odd)}" if odd is not None else f"there are {len(tables)} of them"
        raise RefusedError(f"a request has one of the fields {', '.join(_TABLES)}, and maybe `params`; {said}.")
    params = request.get("params")
    if not isinstance(params, dict | None):
        raise RefusedError('`params` is no JSON object, such as {"k": 5}.')
    return _rows(tables[0], request[tables[0]]), params or {}


def _rows(name: str, table: Any) -> Rows:
    if name == "dataframe_split" and isinstance(table, dict):
        columns, data = table.get("columns"), table.get("data")
        if (
            isinstance(columns, list)
            and isinstance(data, list)
            and all(isinstance(column, str) for column in columns)
            and all(isinstance(row, list) for row in data)
        ):
            return _of_columns(columns, data)
    elif isinstance(table, list) and all(isinstance(row, dict) for row in table):
        return table
    raise RefusedError(f"`{name}` is no table: give rows, each an object with the columns of the model.")


def _of_columns(columns: list[str], data: list[list[Any]]) -> Rows:
    """The rows of a table whose columns are named once, above them."""
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise RefusedError(f"`dataframe_split` has the column {short(twice)} twice.")
    for i, row in enumerate(data, start=1):
        if len(row) != len(columns):
            raise RefusedError(f"row {i} of `dataframe_split` has {len(row)} values for {len(columns)} columns.")
    return [dict(zip(columns, row, strict=True)) for row in data]


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError("the client is gone.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise RefusedError(f"the request is larger than {MOST_BYTES // 2**20} MiB: files are scored in bulk.", 413)
        if not message.get("more_body"):
            return b"".join(parts)


def _mistake(code: str, message: str) -> bytes:
    return _json({"error_code": code, "message": message})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
