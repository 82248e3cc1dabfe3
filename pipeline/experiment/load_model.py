"""Loads models: the champion of a dataset by its name, or any version by its address in MLflow."""

import os
import re
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.experiment.client import artifact_of, client_of
from pipeline.experiment.model_registry import ModelRegistry, Version
from pipeline.experiment.packaging import data_of
from pipeline.home import tracking_uri
from pipeline.inference.model import Model

_ADDRESS = re.compile(r"(?:models:/)?(?P<name>[^/@]+)(?:/(?P<version>[0-9]+)|@champion)?")
_OF_RUN = re.compile(r"runs:/(?P<run>[0-9a-f]+)/(?P<path>.+)")


def load(name: str | os.PathLike[str], mlflow: str | None = None) -> Model:
    """The model that `pipeline.load` gives."""
    return Model.load(data_of(model_folder(name, mlflow)))


def model_folder(name: str | os.PathLike[str], mlflow: str | None) -> Path:
    """A local folder with a model as MLflow made it, fetched if it is elsewhere.

    Args:
        name: see `pipeline.load`.
        mlflow: see there.

    Raises:
        PipelineError: there is no such model.
    """
    none = f"{name!r} is no model: give a dataset, an address such as models:/movies/2, or a folder that MLflow made."
    if not isinstance(name, str | os.PathLike):
        raise PipelineError(none)
    name = os.fspath(name)
    if (Path(name) / "MLmodel").is_file():
        return Path(name)
    where = mlflow or tracking_uri()
    if where.startswith("sqlite:///") and not Path(where.removeprefix("sqlite:///")).exists():
        raise PipelineError(f"there is no model {name!r}: nothing was learned in {where}. `make run` does that.")
    client, of_run = client_of(where), _OF_RUN.fullmatch(name)
    if of_run is not None:
        from mlflow.exceptions import MlflowException

        try:
            return artifact_of(client, of_run["run"], of_run["path"])
        except MlflowException as error:
            raise PipelineError(
                f"there is no model {name!r}: {error}. Only the best fit of a contest is a model; of any other fit "
                "`pipeline.inference.saved_fit.load_fitted` reads the folder of its run."
            ) from None
    address = _ADDRESS.fullmatch(name)
    if address is None:
        raise PipelineError(none)
    registry = ModelRegistry(client, address["name"])
    return registry.folder(_version(registry, address["version"]))


def _version(registry: ModelRegistry, number: str | None) -> Version:
    registry.require()
    if number is not None:
        return registry.version(number)
    champion = registry.champion()
    if champion is None:
        raise PipelineError(
            f"the model {registry.name!r} has no champion: `make run DATASET={registry.name}` sets one."
        )
    return champion
