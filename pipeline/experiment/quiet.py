"""MLflow's models without its remarks about its own types, which people can do nothing about."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKATIVE = ("mlflow.pyfunc", "mlflow.models.model", "mlflow.models.utils", "mlflow.utils.requirements_utils")


@contextmanager
def quiet() -> Iterator[None]:
    """Inside this context MLflow's models are imported, saved and loaded without remarks; errors are told as ever."""
    levels = {name: logging.getLogger(name).level for name in _TALKATIVE}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
