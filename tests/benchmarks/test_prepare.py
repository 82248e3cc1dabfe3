"""The loaders read the original formats, from small files that the tests write."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import prepare
from pipeline.config.files import conf_files, load

CONF = Path(prepare.__file__).parent / "conf"


@pytest.mark.parametrize("path", conf_files(CONF), ids=lambda path: path.stem)
def test_every_conf_of_the_benchmarks_loads_and_says_what_it_is_for(path: Path) -> None:
    assert load(path).name == path.stem
    assert path.read_text().startswith("# ")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pl.DataFrame]:
    """Run the command and read what it wrote."""
    monkeypatch.setattr(prepare, "DATA", tmp_path / "data")

    def make(name: str, path: Path) -> pl.DataFrame:
        assert prepare.main([name, str(path)]) == 0
        return pl.read_parquet(tmp_path / "data" / f"{name}.parquet")

    return make


def test_gowalla_keeps_its_test_part_and_a_tenth_of_each_user_s_training_validates(
    tmp_path: Path, made: Callable[..., pl.DataFrame]
) -> None:
    (tmp_path / "train.txt").write_text(f"0 {' '.join(map(str, range(20)))}\n1 3 4 5 \n2 7\n")
    (tmp_path / "test.txt").write_text("0 30 31\n1 \n")
    frame = made("gowalla", tmp_path)
    sizes = frame.group_by("user", "split").len().sort("user", "split").rows()
    assert sizes == [
        (0, "test", 2),
        (0, "train", 18),
        (0, "validation", 2),
        (1, "train", 2),
        (1, "validation", 1),
        (2, "train", 1),
    ]
    assert set(frame.filter(user=0, split="test")["place"]) == {30, 31}
    (tmp_path / "all.parquet").write_bytes((tmp_path / "data" / "gowalla.parquet").read_bytes())
    assert made("gowalla", tmp_path / "all.parquet").equals(frame)


def test_gowalla_without_its_test_part_is_tested_on_its_validation_part(
    tmp_path: Path, made: Callable[..., pl.DataFrame]
) -> None:
    split = ["train"] * 20 + ["validation"] * 2
    pl.DataFrame({"user": [0] * 22, "place": range(22), "split": split}).write_parquet(tmp_path / "public.parquet")
    frame = made("gowalla", tmp_path / "public.parquet")
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 18, "validation": 2, "test": 2}
    assert set(frame.filter(split="test")["place"]) == {20, 21}


def test_movielens_1m_holds_out_1200_users_whole(tmp_path: Path, made: Callable[..., pl.DataFrame]) -> None:
    lines = [f"{user}::{movie}::5::97" for user in range(1, 2001) for movie in (user % 7, 100)]
    (tmp_path / "ratings.dat").write_text("\n".join(lines))
    users = made("movielens_1m", tmp_path).select("user", "split").unique()
    assert dict(users["split"].value_counts().iter_rows()) == {"test": 1200, "validation": 400, "train": 400}


def test_movielens_20m_keeps_ratings_of_4_and_users_with_five(
    tmp_path: Path, made: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    n = 20_010
    users = np.repeat(np.arange(n), 6)
    ratings = np.where((users == 7) & (np.arange(len(users)) % 6 < 2), 3.5, 4.0)  # leaves four ratings to this user
    frame = pl.DataFrame({"userId": users, "movieId": np.arange(len(users)) % 50, "rating": ratings, "timestamp": 1})
    frame.write_csv(tmp_path / "ratings.csv")
    read = made("movielens_20m", tmp_path)
    assert read["user"].n_unique() == n - 1
    assert read.filter(split="train")["user"].n_unique() == n - 1 - 20_000
    frame.head(60).write_csv(tmp_path / "ratings.csv")
    assert prepare.main(["movielens_20m", str(tmp_path)]) == 1
    assert "these are not the files of movielens_20m: 9 users are too few" in capsys.readouterr().err


def test_edinburgh_reads_prices_as_they_are_written(tmp_path: Path, made: Callable[..., pl.DataFrame]) -> None:
    prices = [f"${1000 + i:,}.00" for i in range(100)] + ["", "$0.00", "$99,999.00"]
    pl.DataFrame({"name": "x", "price": prices}).write_csv(tmp_path / "listings.csv")
    kept = made("edinburgh", tmp_path / "listings.csv")["price"]
    assert kept.dtype == pl.Float64
    assert (kept.min(), kept.max()) == (1001, 1099)


def test_files_that_are_not_there_are_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["gowalla", str(tmp_path)]) == 1
    assert "these are not the files of gowalla" in capsys.readouterr().err
