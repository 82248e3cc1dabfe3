"""Peak rates of the machine, which give the floor of everything that is measured on it."""

import time
from collections.abc import Callable

REPEATS = 5


def bandwidth() -> float:
    """Bytes per second that all cores together read from memory."""
    import torch

    many = torch.ones(2**28)  # 1 GB, more than any cache holds
    return many.nbytes / _best(lambda: many.sum())


def gemm() -> float:
    """Multiply-adds per second in a product of two matrices of 32-bit numbers, on all cores."""
    import torch

    n = 4096
    one, other = torch.randn(n, n), torch.randn(n, n)
    return n**3 / _best(lambda: one @ other)


def gpu() -> str:
    """The name of the GPU, or an empty text without one."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def wake_gpu() -> None:
    """Load what the first work on a GPU would load, its libraries of products among them."""
    import torch

    some = torch.ones(64, 64, device="cuda")
    float((some @ some).sum())


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
