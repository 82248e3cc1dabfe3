"""The cluster: the one that RAY_ADDRESS names, or a Ray of this machine for as long as it is used."""

import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipeline.errors import PipelineError, first_line

ADDRESS = "RAY_ADDRESS"
"""The variable of the environment that Ray itself reads."""
SECONDS = 10
"""Seconds within which a cluster has to answer."""


@contextmanager
def connected(where: str, cpus: float = 0) -> Iterator[str]:
    """Connect this process to the cluster, and disconnect it at the end; says which cluster it is.

    Args:
        where: the conf file and the key that ask for a cluster, for a message.
        cpus: a Ray of this machine promises at least so many CPUs, though workers may have to share a core.

    Raises:
        PipelineError: Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise PipelineError(
            f"{where} needs Ray, which is not installed: pip install 'embedding-pipeline[ray]' (in a clone: make ray)."
        ) from error
    if ray.is_initialized():  # by whoever runs this process on a cluster
        try:
            yield "the cluster of this process"
        except Exception:
            raise
        except BaseException:  # an interruption: nobody waits for the workers any more
            ray.shutdown()
            raise
        return
    address = os.environ.get(ADDRESS)
    options = {} if address else {"num_cpus": max(os.cpu_count() or 1, round(cpus + 0.5)), "include_dashboard": True}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _require_answer(address)
        ray.init(address=address or "local", log_to_driver=False, logging_level="error", **options)
    except Exception as error:  # what cannot be reached raises errors of several kinds
        said = first_line(error)
        if address is None:
            raise PipelineError(
                f"{where} needs a cluster, and no Ray could be started on this machine: {said}"
            ) from error
        raise PipelineError(
            f"{where} needs a cluster, and {ADDRESS}={address} is none: {said}. Start one with `ray start --head`, or "
            f"leave {ADDRESS} unset for a Ray of this machine; if it asks for a token, set RAY_AUTH_MODE=token."
        ) from error
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray's own would end the process without a word
    try:
        yield f"the cluster at {address}" if address else "a Ray of this machine"
    finally:
        ray.shutdown()


def _require_answer(address: str | None) -> None:
    """Raise an OSError if nothing answers at an address such as `host:6379`: Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), SECONDS).close()


def lacking(resources: Mapping[str, float], workers: int) -> str:
    """What the cluster lacks for so many workers as it is now, in words; empty if it has all."""
    import ray

    there = ray.cluster_resources()
    return ", ".join(
        f"{workers * amount:g} {name} (it has {there.get(name, 0):g})"
        for name, amount in resources.items()
        if there.get(name, 0) < workers * amount
    )
