"""Arrays on disk are the arrays that they would be in memory."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.out_of_core import memory_mapped
from pipeline.out_of_core.growing import Growing
from pipeline.out_of_core.memory_mapped import blocks, save


@pytest.mark.parametrize("shape", [(0,), (7,), (5, 3), (4, 0)])
def test_what_is_saved_in_blocks_is_an_ordinary_npy_file(
    shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_mapped, "MAPPED_BLOCK_BYTES", 16)
    for made in (np.random.default_rng(0).random(shape), np.arange(np.prod(shape), dtype=np.int32).reshape(shape)):
        for laid_out in (made, np.asfortranarray(made), np.repeat(made, 2, axis=0)[::2]):
            save(tmp_path / "made.npy", laid_out)
            read = np.load(tmp_path / "made.npy", allow_pickle=False)
            assert read.dtype == made.dtype
            assert np.array_equal(read, made)


def test_an_array_grows_on_disk_and_keeps_its_values_while_blocks_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_mapped, "MAPPED_BLOCK_BYTES", 4096)
    growing = Growing(np.int32)
    for start in range(0, 10_000, 1000):
        growing.append(np.arange(start, start + 1000))
    array = growing.array()
    assert isinstance(array, np.memmap)
    assert sum(int(block.sum()) for block in blocks(array)) == sum(range(10_000))
    assert np.array_equal(array, np.arange(10_000))


def test_an_empty_array_can_grow_too() -> None:
    assert Growing(np.uint8).array().tolist() == []
