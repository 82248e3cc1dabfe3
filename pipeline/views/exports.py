"""An embedding in the formats of other tools: TensorBoard's projector, word2vec's text, Embedding Atlas, usearch."""

from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.embedding import Embedding
from pipeline.pictures.projection import plane
from pipeline.similarity.neighbour_index import NeighbourIndex

MOST_PROJECTED = 100_000
"""TensorBoard's projector takes no more points, so it gets only the most frequent tokens."""
_OWN = ("x", "y", "vector")
"""Columns that only exports have; one of the source with such a name gets another: `described` does the rest."""
_NOTE = "Of {v:,} tokens, here are the {n:,} most frequent: TensorBoard's projector takes no more.\n"
_PROJECTOR = """\
embeddings {
  tensor_name: "embedding"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""


@dataclass(frozen=True)
class Exports:
    """An embedding and the descriptions of its tokens, to be written for other tools."""

    embedding: Embedding
    about: pl.DataFrame
    """One row for each token, in the vocabulary's order, with columns that describe it."""

    @cached_property
    def neighbours(self) -> NeighbourIndex:
        """The graph of nearest neighbours."""
        return NeighbourIndex(self.embedding.matrix)

    def save(self, folder: Path) -> None:
        """Write `projector/`, `word2vec.txt`, `atlas.parquet` and `neighbours.usearch`."""
        self.neighbours.save(folder / "neighbours.usearch")
        about = self.about.rename({name: f"{name} (of the source)" for name in _OWN if name in self.about.columns})
        (folder / "projector").mkdir()
        _projector(self.embedding, about, folder / "projector")
        _word2vec(self.embedding, folder / "word2vec.txt")
        _atlas(self.embedding, about, folder / "atlas.parquet")


def _projector(embedding: Embedding, about: pl.DataFrame, folder: Path) -> None:
    """Write `vectors.tsv` without a header, `metadata.tsv` with one for its columns, and the config that names them."""
    v, n = len(embedding.vocabulary), min(len(embedding.vocabulary), MOST_PROJECTED)
    order = embedding.vocabulary.by_count[:n]
    _numbers(embedding)[order].write_csv(folder / "vectors.tsv", separator="\t", include_header=False)
    tokens = [embedding.vocabulary.tokens.select("label", "token", "count"), about, _stability(embedding)]
    described = pl.concat(tokens, how="horizontal")
    texts = [_for_a_spreadsheet(pl.col(name).cast(pl.String)) for name in described.columns]
    described[order].select(texts).write_csv(folder / "metadata.tsv", separator="\t", quote_style="never")
    (folder / "projector_config.pbtxt").write_text(_PROJECTOR)
    if n < v:
        (folder / "NOTE.txt").write_text(_NOTE.format(v=v, n=n))


def _for_a_spreadsheet(text: pl.Expr) -> pl.Expr:
    """Texts as cells of a TSV: without tabs and line ends, and with `'` before what a spreadsheet would calculate."""
    plain = text.fill_null("").str.replace_all(r"[\t\r\n]", " ")
    calculated = plain.str.contains(r"^\s*[=+\-@]") & plain.cast(pl.Float64, strict=False).is_null()
    return pl.when(calculated).then(pl.lit("'") + plain).otherwise(plain).name.keep()


def _stability(embedding: Embedding) -> pl.DataFrame:
    """The column `stability`, how far the nearest of each token hold; no column without replicas."""
    return pl.DataFrame([] if embedding.stability is None else embedding.stability.columns()[:1])


def _word2vec(embedding: Embedding, path: Path) -> None:
    """Write the text format: a line with V and D, then one line for each token, the most frequent first.

    White space in a token becomes `_`; see `_words`.
    """
    order = embedding.vocabulary.by_count
    lines = _numbers(embedding)[order].insert_column(0, _words(embedding.vocabulary.tokens["token"][order]))
    with path.open("wb") as file:
        file.write(f"{len(lines)} {embedding.dimension}\n".encode())
        lines.write_csv(file, separator=" ", include_header=False, quote_style="never")


def _words(tokens: pl.Series) -> pl.Series:
    r"""Tokens with `_` for white space, each another one: where one is taken, the next gets `_2`, `_3` and so on.

    A token without white space stays as it is.

    >>> _words(pl.Series(["a b", "a_b", "a\tb"])).to_list()
    ['a_b_2', 'a_b', 'a_b_3']
    """
    words = tokens.str.replace_all(r"\s", "_")
    if not words.is_duplicated().any():
        return words
    taken, found = set(tokens.filter(words == tokens)), []
    for token, word in zip(tokens, words, strict=True):
        candidates = chain([word], (f"{word}_{n}" for n in count(2)))
        own = token if token == word else next(one for one in candidates if one not in taken)
        taken.add(own)
        found.append(own)
    return pl.Series(words.name, found, dtype=pl.String)


def _atlas(embedding: Embedding, about: pl.DataFrame, path: Path) -> None:
    """Write one row for each token: token, label, count, columns that describe it, x and y on the plane, vector.

    Where there are replicas, there is also its stability.
    """
    order = embedding.vocabulary.by_count
    embedding, about = embedding.most_frequent_first(), about[order] if about.width else about
    view = plane(embedding, len(order))
    n = len(view.points)
    described = [embedding.vocabulary.tokens, about, _stability(embedding)]
    tokens: pl.DataFrame = pl.concat(described, how="horizontal").head(n)
    vectors = pl.Series("vector", embedding.matrix[:n], dtype=pl.Array(pl.Float32, embedding.dimension))
    points = view.points.astype(np.float32)
    tokens.with_columns(x=points[:, 0], y=points[:, 1]).with_columns(vectors).write_parquet(path)


def _numbers(embedding: Embedding) -> pl.DataFrame:
    return pl.DataFrame(embedding.matrix, schema=[f"d{i}" for i in range(embedding.dimension)])
