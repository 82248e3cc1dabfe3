import json
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from pipeline.embedding import Embedding
from pipeline.errors import PipelineError
from pipeline.similarity.nearest import nearest_tokens
from pipeline.similarity.stability import stability_of
from pipeline.vocabulary.vocabulary import Vocabulary


@pytest.fixture
def embedding() -> Embedding:
    """Four places in a plane: east, far east, north, west."""
    vocabulary = Vocabulary.of({"e": 4, "far e": 3, "n": 2, "w": 1})
    matrix = np.array([[1, 0], [9, 0.1], [0, 1], [-1, 0]], np.float32)
    return Embedding(vocabulary, matrix, {"method": "by hand", "dimension": "2"})


def test_up_to_three_dimensions_neighbours_are_close_whatever_their_angle(embedding: Embedding) -> None:
    found = embedding.neighbours("e", k=3)
    assert found["token"].to_list() == ["n", "w", "far e"]
    assert found["cosine"].to_list() == pytest.approx([0, -1, 9 / np.hypot(9, 0.1)], abs=1e-6)


def test_with_more_dimensions_neighbours_have_the_smallest_angle_whatever_their_distance(embedding: Embedding) -> None:
    wider = Embedding(embedding.vocabulary, np.pad(embedding.matrix, ((0, 0), (0, 2))))
    assert wider.neighbours("e", k=3)["token"].to_list() == ["far e", "n", "w"]


def test_a_rare_token_is_less_near_than_its_angle_says() -> None:
    vocabulary = Vocabulary.of({"common": 1000, "frequent": 900, "rare": 1})
    matrix = np.array([[1, 0, 0, 0], [1, 0.5, 0, 0], [1, 0.1, 0, 0]], np.float32)
    found = Embedding(vocabulary, matrix).neighbours("common")
    assert found["token"].to_list() == ["frequent", "rare"]
    assert not found["cosine"].is_sorted(descending=True)


def test_the_file_keeps_how_far_neighbours_hold(embedding: Embedding, tmp_path: Path) -> None:
    nearest = nearest_tokens(embedding.matrix, embedding.counts, 2)
    other = np.array([[1, 3], [2, 0], [3, 0], [2, 1]])
    known = replace(embedding, stability=stability_of(nearest, [nearest, other]))
    known.save(tmp_path / "embedding.parquet")
    assert pl.read_parquet(tmp_path / "embedding.parquet").columns[4:] == ["stability", "nearest", "support"]
    found = Embedding.load(tmp_path / "embedding.parquet").neighbours("e", k=3)
    assert found.select("token", "support").rows() == [("n", 1), ("w", 2), ("far e", None)]
    assert Embedding.load(tmp_path / "embedding.parquet").stability.scores[0] == 0.5


def test_the_file_opens_in_polars_duckdb_and_pandas(embedding: Embedding, tmp_path: Path) -> None:
    path = tmp_path / "embedding.parquet"
    embedding.save(path)
    frame = pl.read_parquet(path)
    assert frame.columns == ["token", "label", "count", "vector"]
    assert frame.schema["vector"] == pl.Array(pl.Float32, 2)
    assert pd.read_parquet(path)["vector"][1].tolist() == pytest.approx([9, 0.1])
    nearest = duckdb.sql(
        f"SELECT token FROM '{path}' ORDER BY list_cosine_similarity(vector::FLOAT[], [0, 1]::FLOAT[]) DESC"
    ).fetchall()[0]
    assert nearest == ("n",)


def test_loading_gives_the_same_embedding_with_its_provenance(embedding: Embedding, tmp_path: Path) -> None:
    path = tmp_path / "embedding.parquet"
    embedding.save(path)
    loaded = Embedding.load(path)
    assert (loaded.matrix == embedding.matrix).all()
    assert loaded.provenance == {"method": "by hand", "dimension": "2"}
    assert loaded.vocabulary.fingerprint == embedding.vocabulary.fingerprint


def test_a_file_with_other_tokens_than_were_saved_is_refused(embedding: Embedding, tmp_path: Path) -> None:
    path = tmp_path / "embedding.parquet"
    embedding.save(path)
    metadata = pl.read_parquet_metadata(path)
    kept = {"vocabulary": metadata["vocabulary"], "provenance": json.dumps({})}
    pl.read_parquet(path).head(3).write_parquet(path, metadata=kept)
    with pytest.raises(PipelineError, match="its tokens are not those that were saved"):
        Embedding.load(path)
    pl.DataFrame({"token": ["a"]}).write_parquet(path)
    with pytest.raises(PipelineError, match="was not written by this pipeline"):
        Embedding.load(path)


def test_a_matrix_needs_a_row_for_each_token() -> None:
    with pytest.raises(ValueError, match="one row for each of 1 tokens"):
        Embedding(Vocabulary.of({"a": 1}), np.zeros((2, 2), np.float32))


def test_people_see_the_most_frequent_first_whatever_the_integers_are(embedding: Embedding) -> None:
    assert embedding.most_frequent_first() is embedding
    nearest = nearest_tokens(embedding.matrix, embedding.counts, 2)
    drift = np.array([0.1, np.nan, 0.3, 0.4], np.float32)
    known = replace(embedding, stability=stability_of(nearest, [nearest, nearest]), drift=drift)
    order = [3, 1, 0, 2]  # as a vocabulary that goes on might have them
    kept = replace(
        known,
        vocabulary=Vocabulary.of_frame(known.vocabulary.tokens[order]),
        matrix=known.matrix[order],
        stability=known.stability.reordered(np.array(order)),  # type: ignore[union-attr]
        drift=drift[order],
    )
    assert kept.neighbours("e", 3).equals(known.neighbours("e", 3))
    seen = kept.most_frequent_first()
    assert seen.vocabulary.fingerprint == known.vocabulary.fingerprint
    assert np.array_equal(seen.matrix, known.matrix)
    assert np.array_equal(seen.drift, drift, equal_nan=True)  # type: ignore[arg-type]
    assert seen.neighbours("e", 3).equals(known.neighbours("e", 3))


def test_the_file_keeps_how_far_tokens_have_moved(embedding: Embedding, tmp_path: Path) -> None:
    moved = replace(embedding, drift=np.array([0.5, 0, 0.25, np.nan], np.float32))
    moved.save(tmp_path / "embedding.parquet")
    assert pl.read_parquet(tmp_path / "embedding.parquet")["drift"].to_list() == [0.5, 0, 0.25, None]
    again = Embedding.load(tmp_path / "embedding.parquet").drift
    assert np.array_equal(again, moved.drift, equal_nan=True)  # type: ignore[arg-type]
