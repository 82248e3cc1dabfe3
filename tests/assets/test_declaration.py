from assets.declaration import _used
from pipeline.embedding import Embedding
from pipeline.evaluation.ranking import recall_at
from pipeline.records.source import paths


def test_what_a_function_uses_of_the_core_is_found_in_all_of_it() -> None:
    def uses(names: list[str]) -> list[object]:
        paths.name(names)  # type: ignore[arg-type]
        return [Embedding.load(name) for name in names if (lambda k: recall_at(k, name, name))(3)]  # type: ignore

    assert set(_used(uses.__code__, uses.__globals__)) == {
        "pipeline.records.source.paths",
        "pipeline.embedding",
        "pipeline.evaluation.ranking",
    }
