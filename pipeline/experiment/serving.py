"""MLflow's own scoring server for one model, which tells every mistake in a request in a sentence."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, nearest
from pipeline.experiment.quiet import quiet
from pipeline.inference.requests import require_rows, short, texts

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MOST_BYTES = 16 * 2**20
"""A larger request is refused before it is read to its end."""
_KINDS = {"boolean": (bool, "true or false"), "long": (int, "a whole number"), "string": (str, "a text")}
_TABLES = ("dataframe_records", "dataframe_split", "inputs", "instances")


class RefusedError(Exception):
    """A request that cannot be answered: the message is for people."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def app_of(folder: Path) -> App:
    """The application that answers `POST /invocations`, and `GET /ping`, `/health` and `/version`.

    Args:
        folder: of a model, as MLflow made it.
    """
    with quiet():
        import mlflow.pyfunc
        from mlflow.pyfunc import scoring_server

        model = mlflow.pyfunc.load_model(str(folder))
    return Sentences(scoring_server.init(model), model.metadata.signature)


class Sentences:
    """Checks requests before MLflow's server reads them, and shortens its messages to the sentence that matters."""

    def __init__(self, app: App, signature: Any) -> None:
        """Wrap the server of a model with this signature."""
        self.app = app
        columns, params = signature.inputs.inputs, signature.params.params
        self.columns = {one.name: "texts" if hasattr(one.type, "dtype") else "any" for one in columns}
        self.params = {one.name: "texts" if one.shape else one.dtype.name for one in params}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            body = await _body(receive)
            kind = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
            if kind != "application/json":
                raise RefusedError("send JSON, with the header `Content-Type: application/json`.", 415)
            body = self.checked(body)
        except (RefusedError, PipelineError) as error:
            await _answer(send, getattr(error, "status", 400), str(error))
            return
        length = [(b"content-length", str(len(body)).encode())]
        headers = [one for one in scope["headers"] if one[0] != b"content-length"] + length
        await self.app({**scope, "headers": headers}, _replayed(body, receive), _Shortened(send))

    def checked(self, body: bytes) -> bytes:
        """The body of a request in the form that MLflow reads best, `dataframe_records`.

        Raises:
            RefusedError: it is something else than a table and params of the model.
            PipelineError: a value is of another kind.
        """
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
        params = request.get("params") or {}
        self._check_params(params)
        rows = self._rows(tables[0], request[tables[0]])
        require_rows(rows)
        for number, row in enumerate(rows, 1):
            for name, value in row.items():
                if name not in self.columns:
                    raise PipelineError(f"row {number}: there is no column {name!r}, {nearest(name, self.columns)}")
                if self.columns[name] == "texts":
                    texts(value, f"row {number}, {name}")
            missing = next((name for name, kind in self.columns.items() if kind == "texts" and name not in row), None)
            if missing is not None:
                raise PipelineError(f"row {number}: has no {missing!r}.")
        return body if tables[0] == _TABLES[0] else json.dumps({_TABLES[0]: rows, "params": params}).encode()

    def _check_params(self, params: Any) -> None:
        if not isinstance(params, dict):
            raise RefusedError("`params` is no JSON object.")
        for name, value in params.items():
            if name not in self.params:
                raise RefusedError(f"params: there is no {name!r}; there is: {', '.join(self.params)}.")
            kind, asked = _KINDS.get(self.params[name], (None, ""))
            if kind is None:
                texts(value, f"params, {name}")
            elif type(value) is not kind:
                raise RefusedError(f"params, {name}: is {short(value)}, and {asked} is asked for.")

    def _rows(self, name: str, table: Any) -> list[dict[str, Any]]:
        """The rows of a table, in whichever of MLflow's forms it is."""
        if name == "dataframe_split" and isinstance(table, dict):
            columns, data = table.get("columns"), table.get("data")
            if isinstance(columns, list) and isinstance(data, list):
                rows = [dict(zip(columns, row, strict=False)) for row in data if isinstance(row, list)]
                if len(rows) == len(data) and all(isinstance(column, str) for column in columns):
                    return rows
        elif isinstance(table, list) and all(isinstance(row, dict) for row in table):
            return table
        raise RefusedError(f'`{name}` is no table: give rows such as [{{"{next(iter(self.columns))}": ...}}].')


class _Shortened:
    """Sends an answer on; of an error only the sentence, without the request and the traceback."""

    def __init__(self, send: Send) -> None:
        self.send, self.status, self.body = send, 0, b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if self.status < 400:
            await self.send(message)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await _answer(self.send, self.status, _sentence(self.body))


def _sentence(body: bytes) -> str:
    try:
        said = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        said = body.decode("utf-8", "replace")
    return said.rpartition("\nError: ")[2].partition("\n")[0].strip()[:1000]


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


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What reads a body that was read already, and then whatever comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


async def _answer(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error_code": "BAD_REQUEST", "message": message}, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
