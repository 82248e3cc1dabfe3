"""A fit as a model of MLflow: a folder with its data, its code, a signature, an example, and pinned requirements."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pipeline
from pipeline.config.dataset import Dataset
from pipeline.estimators import estimator_type
from pipeline.inference.file_scoring import of_files
from pipeline.inference.model import Model, model_type
from pipeline.inference.saved_fit import Material, method_of
from pipeline.quiet import Remarks, quiet

FOLDER = "model"
"""The folder of the first model of a fit, among the artifacts of its run; that of a later one has its key behind it."""
_CODE = Path(__file__).with_name("model_code.py")
REMARKS = Remarks(("mlflow.pyfunc", "mlflow.models.model", "mlflow.models.utils", "mlflow.utils.requirements_utils"))
"""What MLflow says of its own types as a model is saved or loaded: nobody can do anything about it."""
_EVERY = ("dataframely", "mlflow", "numpy", "polars", "pyarrow", "pydantic", "PyYAML", "rapidfuzz", "scipy")
"""Packages that every model needs."""


def answers_by(conf: Dataset) -> dict[str, Any]:
    """The settings that decide how a model reads and answers, and not what it has learned."""
    conf = conf.undescribed().model_copy(update={"source": of_files(conf)})
    return conf.model_dump(mode="json", include={"source", "example", "tokens", "weight", "inference"})


def package(conf: Dataset, material: Material, facts: Mapping[str, Any], folder: Path) -> Model:
    """Write the model into a folder, as MLflow loads it, and return it.

    Args:
        conf: the dataset, resolved.
        material: what the model is made from.
        facts: what is known of the fit, for people and programs.
        folder: created here.
    """
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / FOLDER
        model_type(conf).write(data, replace(material, conf=conf), facts)
        model = Model.load(data)
        needed = requirements(material.fit, model.uses_index)
        example = model.example()
        with quiet(REMARKS):
            import mlflow.pyfunc
            import pandas as pd  # type: ignore[import-untyped]

            mlflow.pyfunc.save_model(
                folder,
                python_model=str(_CODE),
                code_paths=[str(Path(pipeline.__file__).parent)],
                artifacts={FOLDER: str(data)},
                signature=_signature(model),
                input_example=pd.DataFrame(example),
                pip_requirements=needed,
                metadata={key: facts[key] for key in ("dataset", "fit", "said")},
            )
    return Model.load(data_of(folder))


def data_of(folder: Path) -> Path:
    """The model's own folder, inside the one that MLflow made."""
    return folder / "artifacts" / FOLDER


def requirements(fit: Path, uses_index: bool) -> list[str]:
    """The packages that a model of this fit needs, at the versions that are installed here."""
    needed = {*_EVERY, *estimator_type(method_of(fit)).needs, *(["usearch"] if uses_index else [])}
    return [f"{package}=={version(package).partition('+')[0]}" for package in sorted(needed, key=str.lower)]


def _signature(model: Model) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType, Array

    # texts would be more exact, but MLflow makes single letters of a list that has a missing one among them
    kinds = {"texts": Array(AnyType()), "any": AnyType()}
    columns = [ColSpec(kinds[kind], name, required=kind == "texts") for name, kind in model.columns().items()]
    params = []
    for name, default in model.options.items():
        if isinstance(default, list):
            params.append(ParamSpec(name, DataType.string, default, shape=(-1,)))
        else:
            kind = {bool: DataType.boolean, int: DataType.long, str: DataType.string}[type(default)]
            params.append(ParamSpec(name, kind, default))
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec(AnyType())]), params=ParamSchema(params))
