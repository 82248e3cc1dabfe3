"""MLflow's pyfunc of a model. MLflow runs this file where a model is loaded; it needs neither Dagster nor Lightning."""

from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from pipeline.errors import PipelineError
from pipeline.inference.model import Model

ARTIFACT = "model"
"""The name under which MLflow keeps the model's folder."""


class Answers:
    """Answers the rows of a pandas frame, one dictionary each.

    It is a class of its own, and `predict` has no types, because MLflow would take both for the signature.
    """

    model: Model

    def load_context(self, context: Any) -> None:
        """Load the model."""
        self.model = Model.load(Path(context.artifacts[ARTIFACT]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """The answer to each row; see `Model.answers`.

        Raises:
            MlflowException: the request cannot be understood; a server answers it with 400.
        """
        try:
            if not len(model_input.columns):  # MLflow leaves out those that the model does not know
                columns = ", ".join(self.model.columns())
                raise PipelineError(f"the frame has none of the columns that the model reads: {columns}.")
            return self.model.answers(model_input.to_dict("records"), params or {})
        except PipelineError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from None


class Pyfunc(Answers, PythonModel):  # type: ignore[misc]
    """The model, as MLflow knows it."""


set_model(Pyfunc())
