"""The generated data is what its docstring says: seeded, with popularity by a power law and tastes to recover."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.generate import EVERYONE, Generated, generate, main


@pytest.fixture(scope="module")
def made() -> Generated:
    return generate(2_000, 5_000, 100_000)


def test_the_same_arguments_give_the_same_pairs(made: Generated) -> None:
    again, other = generate(2_000, 5_000, 100_000), generate(2_000, 5_000, 100_000, seed=2)
    assert np.array_equal(again.user, made.user)
    assert np.array_equal(again.movie, made.movie)
    assert not np.array_equal(other.user[:100], made.user[:100])


def test_there_are_about_as_many_pairs_as_asked_for_each_once_and_in_no_order(made: Generated) -> None:
    assert 75_000 < len(made.user) <= 101_000
    assert len(set(zip(made.user.tolist(), made.movie.tolist(), strict=True))) == len(made.user)
    assert len(np.unique(made.user)) == 2_000
    assert abs(np.corrcoef(np.arange(len(made.user)), made.user)[0, 1]) < 0.02


def test_a_user_s_movies_are_mostly_of_the_user_s_tastes(made: Generated) -> None:
    own = (made.taste_of_movie[made.movie][:, None] == made.tastes_of_user[made.user]).any(axis=1).mean()
    assert own == pytest.approx(1 - EVERYONE, abs=0.05)
    stranger = np.random.default_rng(0).permutation(made.user)
    by_chance = (made.taste_of_movie[made.movie][:, None] == made.tastes_of_user[stranger]).any(axis=1).mean()
    assert by_chance < 0.3


def test_a_few_movies_are_watched_by_many(made: Generated) -> None:
    counts = np.sort(np.bincount(made.movie, minlength=5_000))[::-1]
    assert counts[:500].sum() > 0.3 * counts.sum()
    assert counts[-1000:].sum() < 0.1 * counts.sum()


@pytest.mark.parametrize(("kind", "n_files"), [("csv", 1), ("parquet", 3)])
def test_the_command_writes_text_in_as_many_files_as_asked(kind: str, n_files: int, tmp_path: Path) -> None:
    sizes = ("--users", "200", "--movies", "300", "--pairs", "4000")
    assert main([str(tmp_path), *sizes, "--files", str(n_files), "--format", kind]) == 0
    files = sorted(tmp_path.iterdir())
    assert len(files) == n_files
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet}[kind]
    frame = pl.concat([read(path) for path in files])
    assert frame.schema == {"user": pl.String, "movie": pl.String}
    assert frame.unique().height == frame.height == len(generate(200, 300, 4000).user)
    assert frame["user"].str.contains(r"^u\d{6}$").all()
    assert frame["movie"].str.contains(r"^m\d{7}$").all()


def test_a_size_of_nothing_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(tmp_path), "--users", "0"]) == 1
    assert "whole numbers above 0" in capsys.readouterr().err
