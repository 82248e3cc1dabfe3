"""MLflow's registry of models: one model for each dataset, a version for each best fit, and the alias of the champion.

A person who moves the alias has chosen: the pipeline moves it no more until told to choose again.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError, nearest
from pipeline.experiment.client import alone

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ALIAS = "champion"
"""The alias of the version that answers: `models:/movies@champion`."""
_MOVED_TO = "champion.moved_to"
"""Tag of a model: the version to which the pipeline moved the alias last."""
_PINNED = "champion.pinned"
"""Tag of a model: yes if the present champion stays whatever comes."""


@dataclass(frozen=True)
class Version:
    """A version of a dataset's model."""

    number: str
    run_id: str
    tags: Mapping[str, str]

    @property
    def fit(self) -> str:
        """The name of its fit."""
        return self.tags.get("fit", "a fit")


class ModelRegistry:
    """The versions of the model of one dataset."""

    def __init__(self, client: "MlflowClient", name: str) -> None:
        """Open the model of a dataset.

        Args:
            client: of MLflow, with an explicit address.
            name: of the dataset, which is the model's.
        """
        self.client, self.name = client, name

    def alone(self) -> AbstractContextManager[None]:
        """A lock for a contest or a choice, so that no other process changes the versions that it decides from."""
        return alone(self.client.tracking_uri, self.name)

    def require(self) -> None:
        """Refuse a name that no model has.

        Raises:
            PipelineError: says which was probably meant, or which there are.
        """
        names = [model.name for model in self.client.search_registered_models()]
        if self.name not in names:
            hint = nearest(self.name, names) if names else "there is none yet: `make run` makes one"
            raise PipelineError(f"there is no model {self.name!r} in MLflow, {hint}")

    def versions(self) -> list[Version]:
        """All versions, the newest first."""
        versions = self.client.search_model_versions(f"name = '{self.name}'")
        return sorted((_version(one) for one in versions), key=lambda one: -int(one.number))

    def champion(self) -> Version | None:
        """The version that has the alias; None if none has."""
        from mlflow.exceptions import MlflowException

        try:
            return _version(self.client.get_model_version_by_alias(self.name, ALIAS))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def version(self, number: str) -> Version:
        """A version by its number.

        Raises:
            PipelineError: there is none; the message says which there are.
        """
        versions = {one.number: one for one in self.versions()}
        if number not in versions:
            numbers = ", ".join(versions) or "none: `make run` makes the first"
            raise PipelineError(f"the model {self.name!r} has no version {number!r}; there is: {numbers}.")
        return versions[number]

    def register(self, run_id: str, source: str, description: str, tags: Mapping[str, str]) -> Version:
        """Make a new version from the model in a run's artifacts."""
        self._make()
        made = self.client.create_model_version(self.name, source, run_id, dict(tags), description=description)
        return _version(made)

    def move(self, version: Version) -> None:
        """Give the alias to a version, as the pipeline does."""
        self.client.set_registered_model_tag(self.name, _MOVED_TO, version.number)
        self.client.set_registered_model_alias(self.name, ALIAS, version.number)

    def is_chosen_by_hand(self, champion: Version) -> bool:
        """Whether a person has moved the alias to this version, or pinned it."""
        tags = self.client.get_registered_model(self.name).tags
        return tags.get(_PINNED, "").lower() in ("yes", "true", "1") or tags.get(_MOVED_TO) != champion.number

    def pin(self, number: str) -> Version:
        """Give the alias to a version because a person says so; it stays until `release`."""
        version = self.version(number)
        with self.alone():
            self.client.set_registered_model_alias(self.name, ALIAS, version.number)
            self.client.set_registered_model_tag(self.name, _PINNED, "yes")
        return version

    def release(self) -> Version | None:
        """Let the pipeline choose again; the present champion."""
        with self.alone():
            champion = self.champion()
            if champion is not None:
                self.client.set_registered_model_tag(self.name, _PINNED, "no")
                self.client.set_registered_model_tag(self.name, _MOVED_TO, champion.number)
        return champion

    def note(self, version: Version, tags: Mapping[str, str]) -> None:
        """Tag a version."""
        for name, value in tags.items():
            self.client.set_model_version_tag(self.name, version.number, name, value)

    def folder(self, version: Version) -> Path:
        """A local folder with the model, as MLflow made it; fetched if it is elsewhere.

        Raises:
            PipelineError: its files are gone.
        """
        from mlflow.artifacts import download_artifacts

        if not self.has_files(version):
            raise PipelineError(
                f"version {version.number} of the model {self.name!r}, {version.fit}, is gone: its run was removed "
                f"from MLflow. `make run DATASET={self.name}` sets another champion, and so does "
                f"`make champion DATASET={self.name} VERSION=n`."
            )
        uri = self.client.get_model_version_download_uri(self.name, version.number)
        return Path(download_artifacts(uri, tracking_uri=self.client.tracking_uri))

    def has_files(self, version: Version) -> bool:
        """Whether the model of a version is still there; `mlflow gc` removes it with its run."""
        from mlflow.exceptions import MlflowException

        if not version.run_id:  # a person has registered something else than a run's model
            return True
        folder = self.client.get_model_version_download_uri(self.name, version.number).rpartition("/")[2]
        try:
            return any(file.path == folder for file in self.client.list_artifacts(version.run_id))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def _make(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.name, description=f"The champion of the dataset {self.name}.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _version(found: Any) -> Version:
    return Version(str(found.version), str(found.run_id or ""), dict(found.tags))
