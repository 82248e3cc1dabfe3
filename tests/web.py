"""A real web server for the tests, which can be made to break off, to change, and to ask for a password."""

import base64
import hashlib
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = b"user,item\n" + b"1,2\n" * 500_000


class Host:
    """A web server with one file, which can be made to break off, to change, and to ask for a password."""

    def __init__(self) -> None:
        self.content, self.break_off_at, self.password = CONTENT, 0, ""
        self.is_weak = False
        """Whether the mark of a file says only that it means the same, as of a server that compresses."""
        self.asked: list[dict[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, host: Host, *args: object) -> None:
        self.host = host
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        host = self.host
        host.asked.append(dict(self.headers))
        mark = f'{"W/" if host.is_weak else ""}"{hashlib.sha256(host.content).hexdigest()}"'
        given = "Basic " + base64.b64encode(f"me:{host.password}".encode()).decode()
        if self.path.startswith("/missing"):
            return self.send_error(404)
        if host.password and self.headers.get("Authorization") != given:
            return self.send_error(401)
        if self.headers.get("If-None-Match") == mark:
            self.send_response(304)
            return self.end_headers()
        start = 0
        if self.headers.get("If-Range") == mark:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("ETag", mark)
        self.send_header("Content-Length", str(len(host.content) - start))
        self.end_headers()
        end = host.break_off_at or len(host.content)
        host.break_off_at = 0
        self.wfile.write(host.content[start:end])
        if end < len(host.content):
            self.close_connection = True
        return None
