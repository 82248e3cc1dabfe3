"""The conf files for public data: each is read as it stands, and learns from a file such as its address has."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline.config.files import conf_files, load
from pipeline.embedding import Problem
from pipeline.estimators import estimator
from pipeline.examples.encoding import encode
from pipeline.records.ingest import ingest
from pipeline.vocabulary.counted import count
from tests.web import Host

FOLDER = Path(__file__).parents[1] / "conf" / "examples"
RANDOM = np.random.default_rng(0)
RATINGS = [
    (user, movie, int(RANDOM.integers(1, 11)) / 2, 964_982_703 + user)
    for user in range(1, 301)
    for movie in RANDOM.choice(np.arange(1, 151), 30, replace=False)
]


def zipped(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name.rpartition("/")[0] + "/README.txt", "about the data")
        archive.writestr(name, text)
    return content.getvalue()


def ratings_csv() -> bytes:
    rows = "\n".join(f"{user},{movie},{rating},{time}" for user, movie, rating, time in RATINGS)
    return zipped("ml/ratings.csv", f"userId,movieId,rating,timestamp\n{rows}\n")


def ratings_dat() -> bytes:
    return zipped("ml-1m/ratings.dat", "\n".join(f"{u}::{m}::{int(r) or 1}::{t}" for u, m, r, t in RATINGS) + "\n")


def listings() -> bytes:
    words = ["cosy", "garden", "view", "kitchen", "station", "quiet", "loft", "old", "new", "harbour"]
    rows = []
    for i in range(400):
        text = " ".join(RANDOM.choice(words, 6))
        price = None if i % 9 == 0 else f"${RANDOM.integers(40, 2000):,}.00"
        rows.append(
            {
                "id": i,
                "name": text.title(),
                "description": f"{text},<br />\n{text}",
                "neighborhood_overview": None,
                "amenities": json.dumps(list(RANDOM.choice(["Wifi", "Oven", "Dryer", 'TV 32"'], 2))),
                "neighbourhood_cleansed": f"Ward {i % 7}",
                "property_type": "Entire home",
                "room_type": "Entire home/apt",
                "latitude": 42.6 + i / 1e4,
                "longitude": -73.7,
                "accommodates": i % 6 + 1,
                "bathrooms": None if i % 3 else 1.5,
                "bedrooms": i % 4,
                "beds": i % 5,
                "price": price,
            }
        )
    return gzip.compress(pl.DataFrame(rows).write_csv().encode())


def baskets() -> bytes:
    lines = [
        " ".join(map(str, sorted(RANDOM.choice(60, RANDOM.integers(2, 12), replace=False)))) + " " for _ in range(500)
    ]
    return gzip.compress(("\n".join(lines) + "\n").encode())


CONTENTS: dict[str, Callable[[], bytes]] = {
    "airbnb": listings,
    "baskets": baskets,
    "movielens_1m": ratings_dat,
    **dict.fromkeys(("movielens_small", "movielens_20m", "movielens_32m"), ratings_csv),
}


def test_there_is_one_for_each_of_these() -> None:
    assert {path.stem for path in conf_files(FOLDER)} == set(CONTENTS)


@pytest.mark.parametrize("name", CONTENTS)
def test_it_learns_from_a_file_of_the_shape_that_its_address_has(name: str, tmp_path: Path) -> None:
    settings = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    load(FOLDER / f"{name}.yaml")
    host = Host()
    host.content = CONTENTS[name]()
    address = settings["source"]["path"]
    try:
        settings["source"]["path"] = host.address + urlsplit(address).path
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**settings, "training": {"max_epochs": 1}}))
        conf = load(tmp_path / f"{name}.yaml")
        records = ingest(conf, tmp_path, tmp_path / "records")
    finally:
        host.close()
    assert records.counts.quarantined == 0
    assert records.counts.used > 300
    counted = count(records, conf)
    examples = encode(records.frame, counted.vocabulary, conf, counted.table)
    conf = conf.resolved(examples.n_training, len(counted.vocabulary))
    assert conf.dimensions is not None
    problem = Problem(examples.training(), counted.vocabulary, conf, conf.dimensions[0])
    fitted = estimator("embedding", conf).fit(problem)
    assert np.isfinite(fitted.embedding.matrix).all()
    assert conf.task.evaluate(fitted, examples.held_out("test")).height > 0
