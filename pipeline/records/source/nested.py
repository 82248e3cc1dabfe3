"""Columns with fields, of JSON, Parquet and lakes: each field is a column of its own, `order.customer.country`."""

from typing import TypeVar

import polars as pl

from pipeline.records.source.names import plain_names

Rows = TypeVar("Rows", pl.DataFrame, pl.LazyFrame)


def flat(rows: Rows) -> Rows:
    """The rows with a column for each field: one of an object, or a list of those of several objects.

    >>> orders = pl.DataFrame({"id": [1], "buyer": [{"land": "FR"}], "lines": [[{"sku": "a", "n": 2}, {"sku": "b"}]]})
    >>> flat(orders).row(0, named=True)
    {'id': 1, 'buyer.land': 'FR', 'lines.sku': ['a', 'b'], 'lines.n': [2, None]}

    Args:
        rows: a column whose fields would have the name of another column stays as it is.
    """
    while True:
        names = rows.collect_schema().names()
        if (plain := list(plain_names(names))) != names:
            rows = rows.rename(dict(zip(names, plain, strict=True)))
        schema = rows.collect_schema()
        fields = {name: names for name, dtype in schema.items() if (names := _fields(name, dtype, schema))}
        if not fields:
            return rows
        rows = rows.select(
            expression for name, dtype in schema.items() for expression in _columns(name, dtype, fields.get(name, []))
        )


def _fields(column: str, dtype: pl.DataType, schema: pl.Schema) -> list[str]:
    """The names of the fields that become columns."""
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
    names = [field.name for field in inner.fields] if isinstance(inner, pl.Struct) else []
    return [] if any(f"{column}.{name}" in schema for name in names) else names


def _columns(column: str, dtype: pl.DataType, fields: list[str]) -> list[pl.Expr]:
    whole = pl.col(column)
    if not fields:
        return [whole]
    if isinstance(dtype, pl.Array):
        whole = whole.arr.to_list()
    if isinstance(dtype, pl.Struct):
        return [whole.struct.field(name).alias(f"{column}.{name}") for name in fields]
    return [whole.list.eval(pl.element().struct.field(name)).alias(f"{column}.{name}") for name in fields]
