"""`make course`: docs/course.md and its pictures anew, of what `make run` made. Its words stand in `course.md.jinja`.

Every number of the course is computed here, from the fits of a finished home, or stands in its tables.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, ImageOps
from scipy import sparse

from docs.results import Result, conf_of_the_readme, markdown
from pipeline.evaluation.bootstrap import RESAMPLES, interval
from pipeline.examples.sparse_examples import TEST, TRAIN
from pipeline.views.answer import answer
from pipeline.views.marginal_effects import token_effects
from pipeline.vocabulary.vocabulary import rule_of_thumb

FOLDER = Path(__file__).parent
PAGE, TEMPLATE = "course.md", "course.md.jinja"
PICTURES = {
    "course_losses.png": ("movies", "embedding D=2", "losses.png"),
    "course_sweep.png": ("movies", "", "sweep.png"),
    "course_map_embedding.png": ("movies", "embedding D=2", "map.png"),
    "course_map_pca.png": ("movies", "pca D=2", "map.png"),
    "course_map_homes.png": ("homes", "embedding D=3", "map.png"),
}
"""Each picture of the course: the dataset, the fit, and the file of its run; without a fit, of the comparison."""
LARGEST, COLOURS = (1000, 760), 256
"""Pixels and colours of a picture: it is kept in the repository."""

GIVEN = ("Lord of the Rings: The Fellowship of the Ring, The (2001)", "Batman Begins (2005)", "Shrek (2001)")
ASKED = ("Lord of the Rings: The Two Towers, The (2002)", "Forrest Gump (1994)", "True Lies (1994)", "Toy Story (1995)")
NEAR = "Alien (1979)"
"""Films that people know: a list, what is predicted from it, and one whose neighbours are shown."""
FILMS, NEAREST, RARE = 300, 10, 10
"""The most frequent films whose nearest ones are looked at, how many, and the ratings below which a film is rare."""
OFTEN = 20
"""A word of fewer homes is not shown: its effect is a guess from a few sales."""

Array = npt.NDArray[Any]


def at_work(movies: Result) -> dict[str, Any]:
    """How the network with two hidden nodes goes from a list to probabilities, step by step.

    Raises:
        AssertionError: the steps do not lead to what the network itself gives.
    """
    fitted = movies.fitted("embedding D=2")
    table, bias = fitted.weights["table.weight"], fitted.weights["bias.weight"][:, 0]
    lift, temperature = float(fitted.weights["lift"]), float(fitted.weights["temperature"])
    given, asked = ([movies.vocabulary.labels.index(label) for label in labels] for labels in (GIVEN, ASKED))
    place = table[given].mean(axis=0)
    sphere = [_augmented(vectors, lift) for vectors in (place[None], table)]
    cosines = (sphere[0] @ sphere[1].T)[0]
    logits = cosines / temperature + bias
    row = sparse.csr_matrix((np.ones(len(given)), ([0] * len(given), given)), shape=(1, len(table)))
    np.testing.assert_allclose(fitted.score(row, np.empty((1, 0)))[0], logits, atol=1e-4)
    others = np.exp(logits)
    others[given] = 0
    lines = [
        (movies.vocabulary.labels[i], f"{cosines[i]:.2f}", f"{bias[i]:.2f}", f"{logits[i]:.1f}", f"{share:.2%}")
        for i in asked
        for share in [others[i] / others.sum()]
    ]
    coordinates = [(movies.vocabulary.labels[i], *(f"{x:.2f}" for x in table[i])) for i in (*given, *asked)]
    x, y = table[given[0]]
    return {
        "first": coordinates[0],
        "turned": f"({-y:.2f}, {x:.2f})",
        "coordinates": markdown([("movie", "weight to node 1", "weight to node 2"), *coordinates]),
        "given": [label for label, *_ in coordinates[: len(given)]],
        "place": [f"{x:.2f}" for x in place],
        "temperature": f"{temperature:.2f}",
        "lift": f"{lift:g}",
        "scores": markdown([("movie", "cosine", "bias", "logit", "probability"), *lines]),
    }


def _augmented(vectors: Array, lift: float) -> Array:
    longer = np.hstack([vectors, np.full((len(vectors), 1), lift)])
    return np.asarray(longer / np.linalg.norm(longer, axis=1, keepdims=True))


def one_person(movies: Result) -> dict[str, Any]:
    """The list of the first person: as integers, as titles, and what goes in and what is to be found."""
    examples, labels = movies.examples, movies.vocabulary.labels
    tokens = movies.list_of(0)
    parts = examples.parts[: len(tokens)]
    best = movies.comparison.best
    scores = pl.read_parquet(movies.file(best.name, "test_examples.parquet"))
    recall = scores.filter(example=examples.frame["example"][0])["recall_at_20"].item()
    return {
        "id": examples.frame["example"][0],
        "integers": tokens.tolist(),
        "titles": [labels[i] for i in tokens],
        "inputs": [labels[i] for i in tokens[parts == TRAIN]],
        "hidden": [labels[i] for i in tokens[parts == TEST]],
        "recall": recall,
        "found": round(recall * int((parts == TEST).sum())),
    }


def near(movies: Result, fits: Sequence[str]) -> str:
    """What lies near what: how many of the nearest films share a genre with a film, and how many years lie between."""
    about = movies.model.about
    names = about["genres"].str.split("|").to_list()
    kinds = sorted({kind for some in names for kind in some})
    has = np.array([[kind in some for kind in kinds] for some in names], float)
    shares, years = (has[:FILMS] @ has.T) > 0, about["year"].cast(pl.Float64).to_numpy()
    apart = np.abs(years[:FILMS, None] - years)
    rows = [("any films", f"{shares.mean():.0%}", f"{np.nanmedian(apart):.0f}")]
    for fit in fits:
        vectors = movies.embedding(fit).matrix.astype(float)
        distance = np.linalg.norm(vectors[:FILMS, None] - vectors, axis=2)
        distance[np.arange(FILMS), np.arange(FILMS)] = np.inf
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :NEAREST]
        found = np.take_along_axis(shares, nearest, axis=1).mean(axis=1)
        ends = interval(found[np.random.default_rng(0).integers(0, FILMS, (RESAMPLES, FILMS))].mean(axis=1), FILMS)
        of_years = np.nanmedian(np.take_along_axis(apart, nearest, axis=1))
        rows.append((fit, f"{found.mean():.0%} ±{(ends.high - ends.low) / 2:.0%}", f"{of_years:.0f}"))
    return markdown([("the ten nearest by", "share a genre", "years apart (median)"), *rows])


def meaning(movies: Result, fits: Sequence[str]) -> str:
    """Rank correlations of both coordinates of a map with what is known of the films."""
    years = movies.model.about["year"].cast(pl.Float64)
    known = movies.vocabulary.tokens.select("count").with_columns(year=years).drop_nulls()
    rows = []
    for fit in fits:
        matrix = movies.embedding(fit).matrix[years.is_not_null().to_numpy()]
        for i, axis in enumerate(matrix.T, 1):
            found = (known.select(pl.corr(pl.Series(axis), name, method="spearman")).item() for name in known.columns)
            rows.append((f"{fit}, dimension {i}", *(f"{value:+.2f}" for value in found)))
    return markdown([("coordinate", "people who watched it", "year"), *rows])


def neighbours(movies: Result, k: int = 5) -> dict[str, str]:
    """The nearest films to one, by cosine and by dot product, with their lengths, and how far they hold."""
    embedding, model = movies.model.embedding, movies.model
    own = embedding.vocabulary.labels.index(NEAR)
    lengths, dots = np.linalg.norm(embedding.matrix, axis=1), embedding.matrix @ embedding.matrix[own]
    dots[own] = -np.inf
    cosine, stability = model.similar(NEAR, k).select("label", "cosine", "count", "support"), embedding.stability
    assert stability is not None
    of = stability.replicas
    by_cosine = [(label, f"{value:.2f}", count, f"{times} of {of}") for label, value, count, times in cosine.rows()]
    tokens = embedding.vocabulary.tokens
    by_dot = [
        (tokens["label"][i], f"{dots[i]:.1f}", f"{lengths[i]:.1f}", tokens["count"][i])
        for i in np.argsort(-dots, kind="stable")[:k].tolist()
    ]
    return {
        "length": f"{lengths[own]:.1f}",
        "cosine": markdown([("by cosine", "cosine", "people", "replicas"), *by_cosine]),
        "replicas": str(of),
        "held": f"{stability.scores[own]:.0%}",
        "rare": f"{stability.scores[embedding.counts < RARE].mean():.0%}",
        "dot": markdown([("by dot product", "dot product", "length", "people"), *by_dot]),
    }


def words_of_homes(homes: Result) -> dict[str, Any]:
    """What words do to the price of a home, by marginal effect, and where the dearest and cheapest ones lie."""
    fitted, conf = homes.fitted("embedding D=3"), homes.conf("embedding D=3")
    tokens = fitted.embedding.vocabulary.tokens
    effects = token_effects(fitted, homes.examples.everything(), conf.task, conf.seed, len(tokens))
    places = fitted.embedding.matrix  # (V, 3)
    direction, *_ = np.linalg.lstsq(places - places.mean(axis=0), effects)  # (3,) that follows the effects best
    frame = tokens.with_columns(effect=np.expm1(effects), vector=pl.Series(places))
    frame = frame.filter(pl.col("count") >= OFTEN).sort("effect", descending=True)
    rows = [
        (f"`{row['label']}`", f"{row['effect']:+.1%}", row["count"], *(f"{x:.2f}" for x in row["vector"]))
        for row in frame.iter_rows(named=True)
    ]
    head = ("word", "price", "homes", "x", "y", "z")
    sold = pl.read_parquet(homes.file("embedding D=3", "test_examples.parquet")).row(0, named=True)
    return {
        "often": OFTEN,
        "correlation": [f"{np.corrcoef(effects, axis)[0, 1]:.2f}" for axis in (*places.T, places @ direction)],
        "raise": markdown([head, *rows[:6]]),
        "lower": markdown([head, *rows[::-1][:6]]),
        "sold": {"price": sold["target"], "predicted": sold["predicted"]},
        "dense": conf.task.dense,
    }


def facts() -> Mapping[str, Any]:
    """All that the template tells."""
    movies, homes = Result("movies"), Result("homes")
    best, course = movies.comparison.best, movies.conf("course_network D=32").baseline("course_network")
    fits = ["embedding D=2", "pca D=2", best.name, f"pca D={best.dimension}"]
    return {
        "movies": movies,
        "homes": homes,
        "person": one_person(movies),
        "network": at_work(movies),
        "course": course,
        "training": movies.conf(best.name).training,
        "near": near(movies, fits),
        "neighbours": neighbours(movies),
        "of": NEAR,
        "films": FILMS,
        "meaning": meaning(movies, fits[:2]),
        "words": words_of_homes(homes),
        "answers": {one.name: answer(one.comparison) for one in (movies, homes)},
        "thumb": {one.name: rule_of_thumb(len(one.vocabulary)) for one in (movies, homes)},
        "conf": conf_of_the_readme(),
    }


def written() -> str:
    """The course, of what the current home holds."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    templates.filters["n"] = lambda value: f"{value:,.0f}"
    return templates.get_template(TEMPLATE).render(facts()) + "\n"


def draw(folder: Path) -> None:
    """Write the pictures, small enough to be kept in the repository."""
    for name, (dataset, fit, file) in PICTURES.items():
        keep(Result(dataset).file(fit, file), folder / name)


def keep(picture: Path, path: Path) -> None:
    """Write a picture anew, small enough to be kept in the repository."""
    with Image.open(picture) as large:
        small = ImageOps.contain(large.convert("RGB"), LARGEST, Image.Resampling.LANCZOS)
    reduced(small).save(path, optimize=True)


def reduced(picture: Image.Image) -> Image.Image:
    """A picture in few colours, rare ones such as those of a legend among them, where the median cut has greys."""
    return picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def main() -> int:
    """Write the course and its pictures; 1 if a sample was not learned yet."""
    for name in ("movies", "homes"):
        if not Result(name).folder.exists():
            print(f"error: {Result(name).folder} is not there: `make run` makes it")
            return 1
    draw(FOLDER)
    (FOLDER / PAGE).write_text(written(), encoding="utf-8")
    print("\n".join(f"docs/{name}" for name in (PAGE, *PICTURES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
