"""What examples have beside their tokens."""

import polars as pl
import pytest

from pipeline.errors import PipelineError
from pipeline.examples.beside import one_row_each

COLUMNS = ["price", "size", "age"]


def test_the_columns_in_which_the_rows_of_an_example_differ_are_named() -> None:
    rows = pl.DataFrame({"example": ["a", "b", "b"], "x": [1, 2, 2], "y": [5, 6, 7], "z": [8.0, 9.0, None]})
    said = "conf.yaml, task: the rows of example 'b' differ in 'size' and 'age'. Each example needs one value"
    with pytest.raises(PipelineError, match=said):
        one_row_each(rows, pl.Series(["a", "b"]), COLUMNS, "conf.yaml")
    alike = one_row_each(rows.head(2), pl.Series(["b", "a", "c"]), COLUMNS, "conf.yaml")
    assert alike.rows() == [(2, 6, 9.0), (1, 5, 8.0), (None, None, None)]
