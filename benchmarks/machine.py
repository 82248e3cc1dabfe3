"""What a figure was measured on."""

import os
import platform
from pathlib import Path

import psutil


def machine() -> str:
    """Processor, cores and memory."""
    names = [line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {memory:.0f} GB"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
