from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.files import conf_files, load
from pipeline.errors import PipelineError


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sead": 1}, r"small.yaml:\d+: sead: unknown key, did you mean 'seed'\?"),
        (
            {"vocabulary": {"min_cuont": 1}},
            r"small.yaml:\d+: vocabulary.min_cuont: unknown key, did you mean 'min_count'\?",
        ),
        ({"tokens": [{"kind": "value", "column": "a"}]}, r"tokens\[0\].column: unknown key, did you mean 'columns'\?"),
        ({"training": {"patiense": 1}}, r"training.patiense: unknown key, did you mean 'patience'\?"),
        (
            {"tokens": [{"kind": "word", "columns": "a"}]},
            r"tokens\[0\]: no such `kind`: 'word', there is: 'value', 'words'",
        ),
        ({"task": {"fold_in": 0.3}}, "task: say which `kind` it is"),
        ({"task": {"kind": {}}}, r"task: no such `kind`: {}, there is: 'missing_tokens'"),
        ({"task": {"kind": []}}, r"task: no such `kind`: \[\], there is: 'missing_tokens'"),
        ({"task": "missing_tokens"}, "task: this should hold settings, each as `key: value`"),
        ({"training": []}, "training: this should hold settings, each as `key: value`"),
        ({"task": {"kind": "missing_tokens", "fold_in": 3}}, "task.fold_in: this should be less than 1"),
        ({"dimensions": [2, 2]}, "dimensions: this names a D twice"),
        ({"dimensions": [0]}, r"dimensions\[0\]: this should be greater than or equal to 1"),
        ({"source": {}}, "source: say one of `path`, `database`, `asset` and `sample`"),
        ({"split": {"column": "part", "time": "day"}}, "split: say one of `column`, `folds`, and the shares"),
        ({"split": {"folds": 5, "time": "day"}}, "split: say one of `column`, `folds`, and the shares"),
        ({"split": {"hold_out": "tokens"}}, "split: `hold_out` needs `time`, the column that says what came last"),
        ({"split": {"hold_out": "last"}}, "without `time` goes by the order of lists, so every row has to be an exam"),
        (
            {"split": {"hold_out": "last"}, "example": "id"},
            r"has to be an example \(leave out `example`\), and its tok",
        ),
        ({"split": {"hold_out": "last", "folds": 5}}, "split: say one of `column`, `folds`, and the shares"),
        ({"split": {"time": "day", "hold_out": "last", "test": 0.3}}, "so leave out `validation` and `test`"),
        ({"split": {"time": "day", "hold_out": "lasts"}}, "split.hold_out: this should be 'examples', 'tokens' or"),
        ({"split": {"time": "day", "hold_out": "last"}}, "so `example` has to say which rows are one"),
        (
            {"split": {"time": "day", "hold_out": "tokens"}, "task": {"kind": "regression", "target": "y"}},
            "an answer belongs to a whole one: say `examples`",
        ),
        ({"split": {"column": "part", "test": 0.3}}, "split: say one of `column`, `folds`, and the shares"),
        ({"split": {"folds": 5, "test": 0.3}}, "split: say one of `column`, `folds`, and the shares"),
        (
            {"baselines": ["pca", "easy"]},
            r"baselines\[1\]: no such `kind`: 'easy', there is: 'pca', 'popularity', 'course_network'",
        ),
        ({"baselines": ["pca", {"kind": "ease", "lambda": 3}]}, r"baselines\[1\].lambda: unknown key"),
        ({"baselines": ["ease", "ease"]}, "`baselines` names one twice"),
        ({"task": {"kind": "missing_tokens", "judged": 5}}, "task.judged: unknown key, it is `evaluated` now"),
        ({"rivals": ["ease"]}, "rivals: unknown key, PCA and all others are in `baselines` now, such as `baselines: "),
        ({"baseline": {"dimensions": [8]}}, r"baseline: unknown key, PCA and all .* `baselines: \[\{kind: pca, dim"),
        (
            {"task": {"kind": "regression", "target": "y"}, "baselines": ["boosted_trees"]},
            "boosted_trees grow from the columns of `task.dense`",
        ),
        ({"split": {"validation": 0.5, "test": 0.5}}, "leave nothing to train on"),
        ({"baselines": ["mean"]}, "`baselines` of the task missing_tokens can be: pca, popularity"),
        ({"name": "other"}, "unknown key 'name'"),
        (
            {"dimensions": True},
            "dimensions: YAML reads this word as true or false, and this should be something else, s",
        ),
        ({"dimensions": [2, True]}, "dimensions: YAML reads this word as true or false"),
        (
            {"weight": True},
            "weight: YAML reads this word as true or false, and this should be text, such as a column's",
        ),
        (
            {"tokens": [{"kind": "value", "columns": [True]}]},
            r"columns: YAML reads .*, and this should be text, such as",
        ),
        ({"dimensions": "two"}, r"dimensions\[0\]: this should be a whole number"),
        ({"dimensions": []}, "dimensions: this list needs at least 1"),
        ({"vocabulary": {"max_size": 10**21}}, "vocabulary.max_size: this number is too large"),
        ({"description": "x" * 20_000}, "description: this text can have at most 10000 characters"),
        ({"source": {"path": "a.csv", "separator": "\N{GRINNING FACE}"}}, "source.separator: this should be one"),
        ({"training": {"temperature": -1}}, r"training.temperature\[0\]: this should be greater than 0"),
        ({"training": {"temperature": 0}}, r"training.temperature\[0\]: this should be greater than 0"),
        ({"training": {"lift": float("inf")}}, "training.lift: this should be a finite number"),
        ({"training": {"weight_decay": float("inf")}}, r"training.weight_decay\[0\]: this should be a finite number"),
        ({"training": {"input_share": [-1, 5]}}, r"training.input_share\[0\]: this should be greater than 0"),
        ({"training": {"input_share": [0.9, 0.1]}}, "training.input_share: this is the lowest share and the highest"),
        (
            {"training": {"devices": 2, "workers": 2}},
            "training: `devices` and `workers` are two ways to divide one training",
        ),
        ({"baselines": [{"kind": "ease", "regularisation": -100}]}, r"regularisation\[0\]: this should be greater"),
        (
            {"baselines": [{"kind": "als", "regularisation": float("nan")}]},
            r"regularisation\[0\]: this should be a fin",
        ),
        (
            {"baselines": [{"kind": "item_knn", "weighting": []}]},
            r"baselines\[0\].weighting: this list needs at least 1",
        ),
        ({"tokens": [{"kind": "value", "columns": ["a", "a"]}]}, r"tokens\[0\].columns: this names something twice"),
        ({"tokens": [{"kind": "value", "columns": "a"}] * 2}, "`tokens` makes the same tokens of a column twice"),
        (
            {"task": {"kind": "regression", "target": "y", "dense": ["x", "y"]}},
            "`dense` names 'y', which is the target",
        ),
        ({"task": {"kind": "regression", "target": "movie"}}, "`tokens` are made of the target"),
        (
            {
                "task": {"kind": "regression", "target": "y", "dense": ["x"]},
                "baselines": [{"kind": "boosted_trees", "leaves": 1}],
            },
            r"leaves\[0\]: this should be greater than or equal to 2",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_file_line_key_and_cure(
    minimal: dict[str, Any], write_conf: Callable[..., Path], change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PipelineError, match=sentence):
        load(write_conf("small", {**minimal, **change}))


def test_the_line_is_that_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text("# for\ndescription: x\nsplit:\n  validation: 0.1\n  tset: 0.2\n")
    with pytest.raises(PipelineError, match=r"small.yaml:5: split.tset: unknown key, did you mean 'test'\?"):
        load(path)


@pytest.mark.parametrize("key", ["description", "source", "tokens", "dimensions"])
def test_a_key_that_is_missing_is_named(minimal: dict[str, Any], write_conf: Callable[..., Path], key: str) -> None:
    del minimal[key]
    with pytest.raises(PipelineError, match=rf"small.yaml:1: {key}: is missing\."):
        load(write_conf("small", minimal))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dimension": 0}, "dimension: this should be greater than or equal to 1"),
        ({"split": {"hold_out": "last"}}, "`split.hold_out: last` without `time` goes by the order of lists"),
        ({"replicas": 1}, "`replicas` are compared with each other"),
        ({"tokens": [{"kind": "value", "columns": "a"}] * 2}, "`tokens` makes the same tokens of a column twice"),
    ],
)
def test_the_line_is_that_of_a_key_that_goes_by_another_name_or_not_with_others(
    minimal: dict[str, Any], write_conf: Callable[..., Path], change: dict[str, Any], sentence: str
) -> None:
    others = {key: value for key, value in minimal.items() if key != "dimensions" or "dimension" not in change}
    path = write_conf("small", {**others, **change})
    line = next(
        n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith(f"{next(iter(change))}:")
    )
    assert line > 1
    with pytest.raises(PipelineError, match=f"small.yaml:{line}: {sentence}"):
        load(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed: 1\nseed: 2\n", "small.yaml:2: the key 'seed' stands here twice"),
        ("seed: [1\n", "small.yaml:2: not valid YAML"),
        ("", "is empty"),
        ("- a\n", "small.yaml:1: should hold settings"),
        ("just text\n", "small.yaml:1: should hold settings"),
    ],
)
def test_a_file_that_is_no_dataset_is_told_so(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(text)
    with pytest.raises(PipelineError, match=sentence):
        load(path)


@pytest.mark.parametrize("name", ["2024", "song-plays"])
def test_a_file_that_cannot_name_a_dataset_is_told_so(
    minimal: dict[str, Any], write_conf: Callable[..., Path], name: str
) -> None:
    with pytest.raises(PipelineError, match=f"{name}.yaml: the file has the name of its dataset: take letters, digits"):
        load(write_conf(name, minimal))


def test_two_files_of_one_name_are_told(tmp_path: Path) -> None:
    for ending in ("yaml", "yml"):
        (tmp_path / f"books.{ending}").write_text("seed: 1\n")
    with pytest.raises(PipelineError, match=r"books.yaml and books.yml name the same dataset"):
        conf_files(tmp_path)


def test_a_conf_folder_that_is_missing_or_empty_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="Set PIPELINE_CONF"):
        conf_files(tmp_path / "nowhere")
    with pytest.raises(PipelineError, match=r"no .yaml file"):
        conf_files(tmp_path)
