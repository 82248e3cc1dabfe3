from pathlib import Path

import pytest

from pipeline.provenance import code_version


def test_the_code_version_changes_with_the_code_but_not_with_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "module.py"
    spec = type("Spec", (), {"origin": str(module)})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)

    def version(text: str) -> str:
        module.write_text(text)
        code_version.cache_clear()
        return code_version("module")

    plain = version("def f():\n    return 1\n")
    assert version('"""Said."""\ndef f():\n    """Said."""\n    return 1  # one\n') == plain
    assert version("def f():\n    return 2\n") != plain
    code_version.cache_clear()
