"""The contest of speed is fair: all encoders find the same pairs, and the table says what was measured."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from benchmarks import machine, postgresql, scale, sources
from benchmarks.encoders import ENCODERS, ours
from benchmarks.generate import generate, write
from benchmarks.learners import LEARNERS, ON_GPU
from benchmarks.overhead import alone
from benchmarks.speed import measure, table
from pipeline.config.files import load
from pipeline.experiment.comparison import Comparison


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(generate(300, 200, 6_000), tmp_path_factory.mktemp("generated"))[0]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_finds_the_same_pairs(name: str, csv: Path) -> None:
    found = measure("encode", name, csv)
    assert found["pairs"] == len(generate(300, 200, 6_000).user)
    assert found["seconds"] > 0
    assert found["peak_mb"] > 10


@pytest.fixture(scope="module")
def in_sources(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if postgresql.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with sources.prepared(csv, tmp_path_factory.mktemp("sources")) as folder:
        yield folder


@pytest.mark.parametrize("name", sources.SOURCES)
def test_every_source_gives_the_same_pairs(name: str, in_sources: Path) -> None:
    assert measure("sources", name, in_sources)["pairs"] == len(generate(300, 200, 6_000).user)


def test_the_table_of_sources_has_ratios_to_a_csv_file() -> None:
    medians = {name: {"seconds": 2.0 * i, "peak_mb": 300.0} for i, name in enumerate(sources.SOURCES, 1)}
    _, first, second, *_ = sources.table(medians)
    assert first == ["csv", "2.0", "1.00", "300", "1.00"]
    assert second[1:] == ["4.0", "2.00", "300", "1.00"]


@pytest.fixture(scope="module")
def encoded(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoded")
    ours(csv, folder)
    return folder


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_finds_more_than_chance(name: str, encoded: Path) -> None:
    """20 of 200 tokens at random would find a tenth of what is held out."""
    found = measure("learn", name, encoded)
    assert found["recall_at_20"] > 0.15
    assert found["pairs_per_second"] > 0


@pytest.mark.parametrize("name", ON_GPU)
def test_every_learner_on_a_gpu_finds_more_than_chance(name: str, encoded: Path) -> None:
    if not machine.gpu():
        pytest.skip("there is no GPU here")
    assert measure("learn", name, encoded)["recall_at_20"] > 0.15


def test_the_table_has_ratios_to_ours_and_floors() -> None:
    rates = {"bytes": 1e9, "multiply_adds": 1e9}
    medians = {
        name: {"seconds": 2.0 * i, "peak_mb": 300.0, "bytes": 3e9, "multiply_adds": 1e9 * i}
        for i, name in enumerate(ENCODERS, 1)
    }
    head, first, second, *_, last = table("encode", medians, rates)
    assert head[2] == "ours / theirs"
    assert first[1:] == ["2.0", "1.00", "3.00", "300", "1.00"]
    assert second[1:3] == ["4.0", "0.50"]
    assert last[3] == "4.00"  # its multiply-adds take longer than its bytes
    of_learners = {"recall_at_20": 0.1, "pairs_per_second": 2e6, "seconds": 1.0, "peak_mb": 1.0}
    learned = table("learn", dict.fromkeys(LEARNERS, of_learners | {"bytes": 1.0, "multiply_adds": 1.0}), rates)
    assert learned[1][-2:] == ["0.1000", "2,000,000"]


def test_the_exponent_of_a_planted_cost() -> None:
    """Seconds that grow as pairs ** 1.1, and as the square root of the vocabulary at any number of pairs."""
    pairs = [{"pairs": n, "epoch": 3e-6 * n**1.1} for n in (1e5, 3e5, 1e6)]
    assert scale.exponent(pairs, "pairs", "epoch") == pytest.approx(1.1)
    tokens = [{"vocabulary": v, "pairs": n, "epoch": 1e-9 * n * v**0.5} for v, n in ((1e3, 9e5), (1e4, 1e6))]
    assert scale.exponent(tokens, "vocabulary", "epoch") == pytest.approx(0.5)


def test_each_size_is_generated_and_a_linear_cost_is_seen_as_one() -> None:
    def planted(path: Path) -> dict[str, float]:
        records = pl.read_csv(path)
        n = {"users": records["user"].n_unique(), "vocabulary": records["movie"].n_unique(), "pairs": records.height}
        return n | dict.fromkeys(scale.STEPS, 1e-06 * n["pairs"]) | {"encode_peak_mb": 1.0, "peak_mb": 1.0}

    found = scale.grow(1000, 400, 20_000, planted)
    assert [row["users"] for row in found["pairs"]] == [100, 316, 1000, 3000]
    vocabularies = [row["vocabulary"] for row in found["vocabulary"]]
    assert vocabularies == sorted(vocabularies)
    by_pairs, by_tokens = scale.tables(found)
    assert by_pairs[-1] == ["10 times as many cost", "", "", "", "10.0 x", "10.0 x", "10.0 x", "", ""]
    assert by_tokens[-1] == ["10 times as many cost", "", "", "", "1.0 x", "1.0 x", "1.0 x", "", ""]


def test_the_cost_is_told_step_by_step(csv: Path) -> None:
    found = scale.cost(csv)
    assert (found["users"], found["pairs"]) == (300, len(generate(300, 200, 6_000).user))
    assert min(found[step] for step in scale.STEPS) > 0


def test_the_library_alone_does_all_that_the_assets_do(csv: Path, tmp_path: Path, encoded: Path) -> None:
    conf = csv.parent / "generated.yaml"
    conf.write_text(
        (encoded / "generated.yaml").read_text().replace("[32]", "[4]")
        + "baselines: [{kind: pca, dimensions: [4]}, popularity]\n"
    )
    alone(conf, tmp_path)
    comparison = Comparison.load(tmp_path / "comparison")
    assert {fit.name for fit in comparison.fits} == {"embedding D=4", "pca D=4", "popularity"}
    assert (tmp_path / "report" / "report.html").exists()
    assert (tmp_path / "exports" / "word2vec.txt").exists()
    assert len(list((tmp_path / "runs").glob("*/latent_space.html"))) == 2
    assert load(conf).name == "generated"
