"""What MLflow's models say of its own types as they are imported, saved and loaded: nobody can do anything about it."""

from pipeline.quiet import Remarks

MLFLOW = Remarks(("mlflow.pyfunc", "mlflow.models.model", "mlflow.models.utils", "mlflow.utils.requirements_utils"))
