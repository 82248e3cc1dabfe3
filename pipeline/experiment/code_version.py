"""A key of the code that a result depends on: found from the imports, so that nobody has to list the modules."""

import ast
import hashlib
import importlib.util
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grimp import ImportGraph

NUMERICAL = {
    "implicit": "implicit",
    "numpy": "numpy",
    "pytorch_lightning": "pytorch-lightning",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
}
"""Libraries whose version can change a figure: name in an import -> name of the package."""


NOT_CODE = {"pipeline.config.kinds"}
"""Modules that only list what there is: a new kind must not change the keys of results of the other kinds."""


def dependencies(*modules: str) -> frozenset[str]:
    """These modules and all modules of `pipeline` that they import, directly or through others."""
    reached = set(modules).union(*(_graph().find_upstream_modules(module) for module in modules))
    return frozenset(module for module in reached if module.partition(".")[0] == "pipeline")


@cache
def code_version(*modules: str) -> str:
    """16 hexadecimal digits that change with the code that these modules depend on.

    Comments, docstrings and import lines are not code: better documentation or a moved module changes nothing. The
    templates beside a module, and the scripts in folders beside it, count as code.

    Args:
        modules: their full names, such as `pipeline.embedding`.
    """
    hashes = sorted(_hash(module) for module in dependencies(*modules) - NOT_CODE)
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


@cache
def library_versions(*modules: str) -> dict[str, str]:
    """The versions of the numerical libraries that the code of these modules uses, by package."""
    used = {found for module in dependencies(*modules) for found in _graph().find_modules_directly_imported_by(module)}
    return {package: version(package) for name, package in NUMERICAL.items() if name in used}


@cache
def _graph() -> "ImportGraph":
    import grimp

    return grimp.build_graph(
        "pipeline", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


@cache
def _hash(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin)
    hasher = hashlib.sha256(ast.dump(_OnlyCode().visit(ast.parse(path.read_text(encoding="utf-8")))).encode())
    for template in sorted([*path.parent.glob("*.html"), *path.parent.glob("*/*.js")]):
        hasher.update(template.read_bytes())
    return hasher.hexdigest()


class _OnlyCode(ast.NodeTransformer):
    """Leaves out import lines and bare strings, which are docstrings."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> Any:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)
