"""Clients that ask a server over HTTP, all at once."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CLIENTS = 16
SECONDS = 60.0
"""How long the clients ask."""


@contextmanager
def serving(command: list[str], name: str) -> Iterator[int]:
    """A server until the end of the context: its port.

    Args:
        command: starts it; the port is its last argument, or in SERVE_PORT.
        name: of the server; `bare` takes the port as an argument.

    Raises:
        RuntimeError: it does not start.
    """
    from docs.tour import free_port

    port = free_port()
    command = [*command, str(port)] if name == "bare" else command
    environment = {**os.environ, "SERVE_PORT": str(port)}
    process = subprocess.Popen(command, cwd=HERE.parent, env=environment, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                asyncio.run(_open(port))
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{name} did not start") from None
                time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait()


async def _open(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


@dataclass
class _Asked:
    times: list[float]
    lost: int = 0


def ask(port: int, bodies: list[bytes]) -> dict[str, float]:
    """Ask with 16 clients at once, each one request after the other, for a minute: requests a second, and times."""
    return asyncio.run(_ask_all(port, bodies))


async def _ask_all(port: int, bodies: list[bytes]) -> dict[str, float]:
    """Ask with 16 clients at once, each one request after the other."""
    asked, begin = _Asked([]), time.perf_counter()
    await asyncio.gather(*(_client(port, bodies[i::CLIENTS], begin + SECONDS, asked) for i in range(CLIENTS)))
    seconds = time.perf_counter() - begin
    median, last = np.percentile(asked.times, [50, 99])
    of_each = {"p50_ms": 1e3 * median, "p99_ms": 1e3 * last}
    return {"per_second": len(asked.times) / seconds, "lost": asked.lost, **of_each}


async def _client(port: int, bodies: list[bytes], end: float, asked: _Asked) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    i = 0
    while time.perf_counter() < end:
        body, i = bodies[i % len(bodies)], i + 1
        begin = time.perf_counter()
        head = f"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        (length,) = (line.partition(b":")[2] for line in answer.split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length))
        asked.lost += b" 200 " not in answer.partition(b"\r\n")[0]
        asked.times.append(time.perf_counter() - begin)
    writer.close()
