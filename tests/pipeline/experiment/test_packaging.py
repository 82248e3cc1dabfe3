from typing import Any

from pipeline.config.dataset import Dataset
from pipeline.config.records import Period, Source
from pipeline.experiment.packaging import answers_by

OF_THE_DATA: dict[str, Any] = {
    "sample": "ames",
    "path": ("other.csv",),
    "sha256": "0" * 64,
    "database": "other.db",
    "query": "select 1",
    "asset": "other",
    "period": Period(column="day"),
    "where": "stars > 3",
    "drop_duplicates": True,
    "max_bad_share": 0.5,
}
"""What was learned from: a file to be answered is another, and all its records are read."""
OF_READING: dict[str, Any] = {
    "format": "parquet",
    "separator": ";",
    "quote": None,
    "comment": "#",
    "skip": 3,
    "encoding": "utf-16",
    "columns": ("user", "movie", "title"),
    "decimal": ",",
    "units": {"price": "kg"},
    "day_first": False,
    "member": "*.csv",
    "max_gigabytes": 1.0,
    "missing": ("none",),
    "rename": {"a": "user"},
}


def test_what_decides_how_a_file_is_read_makes_another_version_of_a_model(movies: Dataset) -> None:
    assert {*OF_THE_DATA, *OF_READING} == {*Source.model_fields}
    own = answers_by(movies)
    for name, value in (OF_THE_DATA | OF_READING).items():
        source = movies.source.model_copy(update={name: value})
        other = answers_by(movies.model_copy(update={"source": source}))
        assert (other != own) == (name in OF_READING), name
