"""Sparse matrices, written by the libraries whose formats they are, and the lists that are read from them."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.io import mmwrite
from sklearn.datasets import dump_svmlight_file

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.source import matrices
from pipeline.records.source.files import Files

MATRIX = sparse.csr_matrix(np.array([[0, 2, 0, 1], [0, 0, 0, 0], [3, 0, -1, 0.5]]))
LISTS = [[1, 3], [], [0, 3]]
"""The columns with a value above 0 of each row, counted from 0."""


def svmlight(matrix: sparse.csr_matrix, path: Path) -> None:
    dump_svmlight_file(matrix, np.arange(matrix.shape[0]), str(path))


def in_a_gzip(matrix: sparse.csr_matrix, path: Path) -> None:
    mmwrite(path.with_name("plain.mtx"), matrix)
    path.write_bytes(gzip.compress(path.with_name("plain.mtx").read_bytes()))


def in_zstd(matrix: sparse.csr_matrix, path: Path) -> None:
    svmlight(matrix, path.with_name("plain.svm"))
    with pa.CompressedOutputStream(path, "zstd") as stream:
        stream.write(path.with_name("plain.svm").read_bytes())


WRITERS: dict[str, tuple[Callable[..., None], int, int]] = {
    "some.svmlight": (svmlight, 1, 0),
    "some.mtx": (lambda matrix, path: mmwrite(path, matrix), 1, 1),
    "some.mtx.gz": (in_a_gzip, 1, 1),
    "some.svm.zst": (in_zstd, 1, 0),
    "some.npz": (lambda matrix, path: sparse.save_npz(path, matrix), 0, 0),
}
"""Each with what writes it, and the numbers of the first row and of the first column in it."""


def read(path: Path) -> Files:
    return Files(Source(path=(path.name,)), path.parent, (), path.parent)


@pytest.mark.parametrize("name", WRITERS)
def test_each_row_is_a_list_of_the_columns_with_a_value_above_0(name: str, tmp_path: Path) -> None:
    write, first_row, first_column = WRITERS[name]
    write(MATRIX, tmp_path / name)
    files = read(tmp_path / name)
    found = pl.concat([batch.frame for batch in files.batches()])
    assert found["items"].to_list() == [[item + first_column for item in row] for row in LISTS]
    assert found["row"].to_list() == [first_row, first_row + 1, first_row + 2]
    assert files.found == {f"left out of {tmp_path / name}": "stored values that are not above 0: 1"}
    if ".sv" in name:
        assert found["label"].to_list() == [0, 1, 2]


@given(
    rows=st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=20),
    at_once=st.integers(1, 7),
    name=st.sampled_from(["some.mtx", "some.npz"]),
)
def test_lists_are_the_same_in_batches_of_any_size(
    rows: list[set[int]], at_once: int, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("matrix") / name
    matrix = np.zeros((len(rows), 10))
    for row, items in enumerate(rows):
        matrix[row, list(items)] = 1
    write, _, first = WRITERS[name]
    write(sparse.csr_matrix(matrix), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrices, "ROWS", at_once)
        batches = list(read(path).batches())
    assert [one for batch in batches for one in batch.frame["items"].to_list()] == [
        [item + first for item in sorted(items)] for items in rows
    ]
    assert [line for batch in batches for line in batch.lines] == list(range(1, len(rows) + 1))


def test_the_rows_of_several_files_are_numbered_on(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        sparse.save_npz(tmp_path / name, MATRIX)
    files = Files(Source(path=("*.npz",)), tmp_path, (), tmp_path)
    found = pl.concat([batch.frame for batch in files.batches()])
    assert found["row"].to_list() == [0, 1, 2, 3, 4, 5]
    assert found["items"].to_list() == LISTS * 2


def test_of_a_symmetric_matrix_both_halves_are_read(tmp_path: Path) -> None:
    text = "%%MatrixMarket matrix coordinate pattern symmetric\n% a graph\n3 3 2\n2 1\n3 3\n"
    (tmp_path / "graph.mtx").write_text(text)
    found = pl.concat([batch.frame for batch in read(tmp_path / "graph.mtx").batches()])
    assert found["items"].to_list() == [[2], [1], [3]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("odd.mtx", b"user,item\n1,2\n"),
        ("odd.mtx", b"%%MatrixMarket matrix array real general\n1 1\n2.5\n"),
        ("odd.mtx", b"%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1.0\n"),
        ("odd.svm", b"user,item\n1,2\n"),
        ("odd.npz", b"no archive"),
        ("odd.npz", b""),
    ],
)
def test_what_is_no_sparse_matrix_is_told(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PipelineError, match=r"odd\..*(cannot be read|the file is empty)"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data": np.array([1j, 2])}, "it holds values of complex128, and real numbers are asked for"),
        ({"data": np.array(["a", "b"])}, "it holds values of <U1, and real numbers are asked for"),
        ({"indices": np.array([0, 7])}, "indices must be < 3"),
        ({"indices": np.array([0, -1])}, "indices must be >= 0"),
        ({"format": None}, "it holds other arrays than those of a sparse matrix"),
    ],
)
def test_an_archive_that_is_no_matrix_of_numbers_is_told(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    arrays = {"data": [1.0, 2.0], "indices": [0, 2], "indptr": [0, 1, 2], "shape": (2, 3), "format": b"csr"} | changed
    np.savez(tmp_path / "odd.npz", **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(PipelineError, match=rf"odd\.npz: cannot be read as npz \({said}\)"):
        read(tmp_path / "odd.npz")


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    sparse.save_npz(tmp_path / "odd.npz", sparse.random(50, 50, 0.5, "csr", random_state=0))
    whole = (tmp_path / "odd.npz").read_bytes()
    (tmp_path / "odd.npz").write_bytes(whole[:150] + b"xxxxxx" + whole[156:])
    with pytest.raises(PipelineError, match=r"odd\.npz: cannot be read as npz"):
        read(tmp_path / "odd.npz")
