"""Users and movies of any size with a truth to recover; the course has a million movies and half a million users.

    python -m benchmarks.generate FOLDER --users 500000 --movies 1000000 --pairs 59000000
    python -m benchmarks.generate FOLDER --files 8 --format parquet

Every movie is of one taste; tastes differ in size, and inside each the popularity of its movies falls by a power law. A
user has a few tastes, watches mostly movies of these, and now and then what everyone watches. So who shares tastes
shares movies: what an embedding can recover, and popularity alone cannot. Written in shuffled order, a row a user and
movie, both as text. The same arguments give the same rows.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

Array = npt.NDArray[np.int64]

SIZES = {"small": (100_000, 50_000, 5_200_000), "course": (500_000, 1_000_000, 59_000_000)}
"""Number of users, movies and pairs that each size of the benchmarks asks for."""
TASTES_OF_A_USER = 3
EVERYONE = 0.15
"""Share of the pairs that are drawn from all movies instead of the user's tastes."""
POWER = 0.85
"""Exponent of the popularity inside a taste: the movie of rank r is drawn with a density of (r + 1) ** -POWER."""
SPREAD = 0.8
"""Standard deviation of the logarithm of the number of movies per user, and of the size of a taste."""


@dataclass(frozen=True)
class Generated:
    """Pairs of users and movies, and the tastes from which they were drawn."""

    user: Array
    """(P,) integers 0..users-1, in shuffled order, each pair once."""
    movie: Array
    """(P,) integers 0..movies-1."""
    taste_of_movie: Array
    """(movies,) the taste of each movie."""
    tastes_of_user: Array
    """(users, TASTES_OF_A_USER) the tastes of each user."""


def generate(n_users: int, n_movies: int, n_pairs: int, seed: int = 1) -> Generated:
    """Draw about `n_pairs` pairs; a movie that a user draws twice counts once, so there are some percent fewer.

    The number of tastes is the square root of half the number of movies. Memory: about 40 bytes per pair.
    """
    random = np.random.default_rng(seed)
    n_tastes = max(1, int(np.sqrt(n_movies / 2)))
    weights = np.exp(random.normal(0, SPREAD, n_tastes))
    starts = np.append(0, np.cumsum(np.maximum(1, np.rint(weights / weights.sum() * n_movies)))).astype(np.int64)
    starts = np.minimum(starts, n_movies)
    starts[-1] = n_movies
    sizes = np.diff(starts)
    tastes = random.choice(n_tastes, (n_users, TASTES_OF_A_USER), p=sizes / n_movies)
    lengths = np.exp(random.normal(0, SPREAD, n_users))
    lengths = np.maximum(2, random.poisson(lengths / lengths.sum() * n_pairs))

    user = np.repeat(np.arange(n_users, dtype=np.int32), lengths)
    taste = tastes[user, random.integers(TASTES_OF_A_USER, size=len(user), dtype=np.int8)]
    rank = _ranks(random, sizes[taste])
    movie = starts[taste] + rank
    from_all = np.flatnonzero(random.random(len(user), dtype=np.float32) < EVERYONE)
    movie[from_all] = _anyone_s(random, starts, sizes, len(from_all))

    pairs = np.unique(user.astype(np.int64) * n_movies + movie)
    random.shuffle(pairs)
    # the number of a movie must not tell its rank or its taste, and that of a user must tell nothing
    of_movie, of_user = random.permutation(n_movies), random.permutation(n_users)
    taste_of_movie, tastes_of_user = np.empty(n_movies, np.int64), np.empty_like(tastes)
    taste_of_movie[of_movie] = np.repeat(np.arange(n_tastes), sizes)
    tastes_of_user[of_user] = tastes
    return Generated(of_user[pairs // n_movies], of_movie[pairs % n_movies], taste_of_movie, tastes_of_user)


def _ranks(random: np.random.Generator, sizes: Array) -> Array:
    """Draw a rank 0..size-1 for each size, by the inverse of the power law's cumulative distribution."""
    power = 1 - POWER
    u = random.random(len(sizes), dtype=np.float32)
    drawn = (u * ((sizes + 1.0) ** power - 1) + 1) ** (1 / power) - 1
    return np.minimum(drawn.astype(np.int64), sizes - 1)


def _anyone_s(random: np.random.Generator, starts: Array, sizes: Array, n: int) -> Array:
    """Draw n movies that everyone may watch: a taste by the power law too, then a movie of this taste."""
    taste = _ranks(random, np.full(n, len(sizes)))
    return starts[taste] + _ranks(random, sizes[taste])


def write(made: Generated, folder: Path, n_files: int = 1, kind: str = "csv") -> list[Path]:
    """Write the pairs as text, such as `u000123,m0045678`, to `n_files` files.

    Args:
        made: the pairs.
        folder: created if it is missing.
        n_files: number of files.
        kind: csv or parquet.

    Returns:
        The paths of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, part in enumerate(np.array_split(np.arange(len(made.user)), n_files)):
        first, last = (int(part[0]), int(part[-1]) + 1) if len(part) else (0, 0)
        frame = pl.LazyFrame({"user": made.user[first:last], "movie": made.movie[first:last]}).select(
            user=pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(6)),
            movie=pl.format("m{}", pl.col("movie").cast(pl.String).str.zfill(7)),
        )
        path = folder / (f"watched-{i}.{kind}" if n_files > 1 else f"watched.{kind}")
        if kind == "csv":
            frame.sink_csv(path)
        else:
            frame.sink_parquet(path)
        paths.append(path)
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, and print their paths and what they hold."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--movies", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=5_200_000)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if min(options.users, options.movies, options.pairs, options.files) < 1:
        print("error: users, movies, pairs and files are whole numbers above 0", file=sys.stderr)
        return 1
    made = generate(options.users, options.movies, options.pairs, options.seed)
    for path in write(made, options.folder, options.files, options.format):
        print(path)
    print(f"{len(made.user):,} pairs of {options.users:,} users and {options.movies:,} movies")
    return 0


if __name__ == "__main__":
    sys.exit(main())
