"""Whatever a conf file holds, it is read, or refused with one sentence that names the file and the line."""

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.files import load
from pipeline.config.yaml_reader import read_yaml
from pipeline.errors import PipelineError

PROJECT = Path(__file__).parents[3]
CONFS = [path.read_text() for folder in ("conf", "benchmarks/conf") for path in (PROJECT / folder).glob("*.yaml")]
MUTATIONS = int(os.environ.get("MUTATIONS", "1000"))
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a text, or bytes, into a file."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "odd.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\n? [b, c]\n: 2\n", "odd.yaml:2: a key must be a word"),
        ("a: 1\nb: !!int x\n", "odd.yaml:2: 'x' cannot be read"),
        ("a: 1\nb: !!python/object:os.system x\n", "odd.yaml:2: the tag .* is not allowed"),
        ("a: 1\nb: !!binary YQ==\n", "odd.yaml:2: the tag .* is not allowed"),
        ("a: 1\nb: " + "9" * 5000, r"odd.yaml:2: '9{40}\.\.\.' cannot be read"),
        ("a: &a [1, *a]\n", "odd.yaml:1: an alias .* makes this document endless"),
        (BOMB, r"odd.yaml:\d+: an alias .* makes this document endless, or very large"),
        ("a: " + "[" * 500 + "]" * 500, "odd.yaml:1: more than 50 lists or mappings in one another"),
        ("a: 1\nb: \a\n", r"odd.yaml:2: not valid YAML: the character '\\x07' is not allowed"),
        ("a: 1\nb: {\n", "odd.yaml:3: not valid YAML: "),
        (b"a: 1\nb: caf\xe9\n", "odd.yaml:2: is not UTF-8 text"),
        ("a" * 2**21, "odd.yaml: is larger than 1 MiB"),
    ],
)
def test_odd_documents_are_refused_in_a_sentence(
    text: str | bytes, sentence: str, written: Callable[[str | bytes], Path]
) -> None:
    with pytest.raises(PipelineError, match=sentence) as error:
        read_yaml(written(text))
    assert "\n" not in str(error.value)


def test_plain_documents_are_read_as_they_stand(written: Callable[[str | bytes], Path]) -> None:
    text = "\ufeffa: 007\nb: 2024-13-45\nc: &c [1, 2.5, yes, null]\nd: *c\ne: {<<: {f: 1}, g: é}\n"
    _, data = read_yaml(written(text))
    assert data == {
        "a": 7, "b": "2024-13-45", "c": [1, 2.5, True, None], "d": [1, 2.5, True, None], "e": {"f": 1, "g": "é"},
    }  # fmt: skip


def test_mutated_confs_are_read_or_refused_with_file_and_line(written: Callable[[str | bytes], Path]) -> None:
    """Pieces of the project's confs are deleted, doubled and replaced, lines shuffled; each run draws others."""
    draw = random.Random(random.random())
    told = [_told(written(_mutated(draw.choice(CONFS), draw))) for _ in range(MUTATIONS)]
    refused = [sentence for sentence in told if sentence is not None]
    assert 0.2 < len(refused) / MUTATIONS < 1
    for sentence in refused:
        assert re.fullmatch(r"\S+odd.yaml(:\d+: \S.*|: is empty.*)", sentence), sentence


def _told(path: Path) -> str | None:
    """What is wrong with a conf file; None if it is read."""
    try:
        load(path)
    except PipelineError as error:
        return str(error)
    return None


def _mutated(text: str, draw: random.Random) -> str:
    odd = [
        "",
        "[",
        "]",
        "{",
        "}",
        ":",
        "-",
        "&a",
        "*a",
        "!!int ",
        "'",
        '"',
        "\t",
        "\n",
        "~",
        "0",
        "-1",
        "1e999",
        "\0",
        "é",
        "#",
        "? ",
        "|",
    ]
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(text))
        end = min(len(text), at + draw.choice((0, 1, 1, 5, 40)))
        text = text[:at] + draw.choice((*odd, text[at:end] * 2)) + text[end:]
    lines = text.split("\n")
    if draw.random() < 0.3:
        draw.shuffle(lines)
    return "\n".join(lines)
