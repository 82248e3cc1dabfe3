from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.embedding import Embedding
from pipeline.similarity.nearest import nearest_tokens
from pipeline.similarity.stability import stability_of
from pipeline.views import exports
from pipeline.views.exports import Exports
from pipeline.vocabulary.vocabulary import Vocabulary


@pytest.fixture
def embedding() -> Embedding:
    tokens = {"war film": 9, "tab\there": 8, '"quoted"': 7, "映画": 6}
    return Embedding(Vocabulary.of(tokens), np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))


def test_word2vec_s_text_has_a_head_and_one_word_a_line(embedding: Embedding, tmp_path: Path) -> None:
    Exports(embedding, pl.DataFrame()).save(tmp_path)
    head, *lines = (tmp_path / "word2vec.txt").read_text(encoding="utf-8").splitlines()
    assert head == "4 3"
    words = [line.split(" ") for line in lines]
    assert [word for word, *_ in words] == ["war_film", "tab_here", '"quoted"', "映画"]
    assert np.array([numbers for _, *numbers in words], np.float32) == pytest.approx(embedding.matrix)


def test_tokens_that_differ_in_white_space_only_are_words_of_their_own(tmp_path: Path) -> None:
    tokens = {"war film": 9, "war_film": 8, "war\tfilm": 7, "war_film_2": 6, "other": 5}
    embedding = Embedding(Vocabulary.of(tokens), np.zeros((5, 1), np.float32))
    Exports(embedding, pl.DataFrame()).save(tmp_path)
    _, *lines = (tmp_path / "word2vec.txt").read_text().splitlines()
    words = [line.split(" ")[0] for line in lines]
    assert words == ["war_film_3", "war_film", "war_film_4", "war_film_2", "other"]


def test_the_projector_gets_as_many_lines_of_metadata_as_of_vectors(embedding: Embedding, tmp_path: Path) -> None:
    about = pl.DataFrame({"genres": ["War", None, "Love|War", "Love"]})
    Exports(embedding, about).save(tmp_path)
    vectors = np.loadtxt(tmp_path / "projector/vectors.tsv", delimiter="\t", dtype=np.float32)
    assert vectors == pytest.approx(embedding.matrix)
    head, *lines = (tmp_path / "projector/metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert head.split("\t") == ["label", "token", "count", "genres"]
    assert [line.split("\t")[3] for line in lines] == ["War", "", "Love|War", "Love"]
    assert all(line.count("\t") == 3 for line in lines)
    assert not (tmp_path / "projector/NOTE.txt").exists()


def test_a_spreadsheet_calculates_nothing_that_a_token_says(tmp_path: Path) -> None:
    tokens = {"=1+1": 9, "@SUM(A1)": 8, "+cmd": 7, "-2": 6, "-x": 5, "plain": 4}
    embedding = Embedding(Vocabulary.of(tokens), np.zeros((6, 1), np.float32))
    Exports(embedding, pl.DataFrame({"about": ["=2"] * 6})).save(tmp_path)
    _, *lines = (tmp_path / "projector/metadata.tsv").read_text().splitlines()
    cells = [line.split("\t") for line in lines]
    assert [cell[1] for cell in cells] == ["'=1+1", "'@SUM(A1)", "'+cmd", "-2", "'-x", "plain"]
    assert {cell[3] for cell in cells} == {"'=2"}


def test_more_than_the_projector_takes_is_a_sample_and_says_so(
    embedding: Embedding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST_PROJECTED", 3)
    Exports(embedding, pl.DataFrame()).save(tmp_path)
    assert len((tmp_path / "projector/vectors.tsv").read_text().splitlines()) == 3
    assert "Of 4 tokens, here are the 3 most frequent" in (tmp_path / "projector/NOTE.txt").read_text()


def test_other_tools_get_the_stability_of_each_token(embedding: Embedding, tmp_path: Path) -> None:
    nearest = nearest_tokens(embedding.matrix, embedding.counts)
    known = replace(embedding, stability=stability_of(nearest, [nearest, nearest]))
    Exports(known, pl.DataFrame()).save(tmp_path)
    metadata = pl.read_csv(tmp_path / "projector" / "metadata.tsv", separator="\t", quote_char=None)
    assert metadata["stability"].to_list() == [1.0] * len(embedding.vocabulary)
    assert pl.read_parquet(tmp_path / "atlas.parquet")["stability"].to_list() == [1.0] * len(embedding.vocabulary)


def test_the_atlas_has_everything_in_one_file(embedding: Embedding, tmp_path: Path) -> None:
    Exports(embedding, pl.DataFrame({"year": ["1", "2", "3", "4"]})).save(tmp_path)
    frame = pl.read_parquet(tmp_path / "atlas.parquet")
    assert frame.columns == ["token", "label", "count", "year", "x", "y", "vector"]
    assert frame["vector"].to_numpy() == pytest.approx(embedding.matrix)


def test_columns_of_the_source_may_have_the_names_of_the_export_s_own(embedding: Embedding, tmp_path: Path) -> None:
    about = pl.DataFrame({name: [f"{name}{i}" for i in range(4)] for name in ("x", "vector", "year")})
    Exports(embedding, about).save(tmp_path)
    atlas = pl.read_parquet(tmp_path / "atlas.parquet")
    assert atlas["vector (of the source)"].to_list() == ["vector0", "vector1", "vector2", "vector3"]
    assert atlas["x"].dtype == pl.Float32
    head, *_ = (tmp_path / "projector" / "metadata.tsv").read_text().splitlines()
    assert {"x (of the source)", "vector (of the source)", "year"} < {*head.split("\t")}
