"""Where a network learns, and where large products are made: on the processor, or on a GPU that is there."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.config.training import Schedule
from pipeline.errors import PipelineError, first_line


def accelerator(settings: Schedule, dtype: torch.dtype, where: str) -> str:
    """Lightning's name of the accelerator that the settings ask for.

    Args:
        settings: the training settings.
        dtype: the type of the network's numbers.
        where: the conf file's name, for a message.

    Raises:
        PipelineError: what they ask for is not there.
    """
    asked = settings.accelerator
    if asked == "auto":
        return "gpu" if device_of(settings, dtype) == "cuda" else "cpu"
    if asked == "gpu" and not torch.cuda.is_available():
        raise PipelineError(
            f"{where}, training.accelerator: PyTorch {torch.__version__} finds no GPU here. Write `cpu`, or `auto`, "
            "which takes a GPU only where one is; or install PyTorch's build for your GPU, and its driver."
        )
    if asked == "mps" and not torch.backends.mps.is_available():
        raise PipelineError(f"{where}, training.accelerator: this is no Mac whose GPU PyTorch can use. Write `cpu`.")
    if asked == "mps" and dtype == torch.float64:
        raise PipelineError(
            f"{where}, training.accelerator: a Mac's GPU has no 64-bit numbers. Write `precision: 32`, or `cpu` here."
        )
    return asked


def device_of(settings: Schedule, dtype: torch.dtype) -> str:
    """PyTorch's name of the device for the products before and after a training: `cuda` or `cpu`.

    Where workers learn, this process may have no GPU though they have: it is not refused here.

    Args:
        settings: the training settings.
        dtype: the type of their numbers.
    """
    asked = settings.accelerator == "gpu" or (settings.accelerator == "auto" and dtype == torch.float32)
    return "cuda" if asked and torch.cuda.is_available() else "cpu"


@contextmanager
def products_of(settings: Schedule, where: str) -> Iterator[None]:
    """Multiply matrices as exactly as the settings say; where a GPU has no memory left, a sentence says so.

    Raises:
        PipelineError: the GPU has no room.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(settings.matmul_precision)
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise PipelineError(
            f"{where}, training.accelerator: the GPU has no room for this training ({first_line(error)}). "
            "Write `cpu`, or a smaller `training.batch_size` or smaller `dimensions`."
        ) from None
    finally:
        torch.set_float32_matmul_precision(before)
