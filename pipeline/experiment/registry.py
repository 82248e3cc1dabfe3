"""Every way to a fit, by name: the learned embedding and the baselines."""

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.embedding import Estimator
from pipeline.network.learned import LearnedEmbedding

EMBEDDING = LearnedEmbedding.NAME
PCA = "pca"


def estimator(name: str, conf: Dataset) -> Estimator:
    """The way to a fit, with the settings of a dataset.

    Args:
        name: `embedding`, or the kind of one of the dataset's baselines.
        conf: the dataset.
    """
    return LearnedEmbedding(conf) if name == EMBEDDING else conf.baseline(name)


def estimator_type(name: str) -> type[LearnedEmbedding] | type[Baseline]:
    """The class of a way to a fit."""
    return LearnedEmbedding if name == EMBEDDING else Baseline.named(name)


def modules(name: str, conf: Dataset) -> list[str]:
    """The modules whose code decides a fit, beside what they import: those of the method and of what conf names."""
    found = [estimator_type(name).__module__, type(conf.task).__module__]
    return [*found, conf.task.learner, conf.task.network] if name == EMBEDDING else found


def run_name(name: str, dimension: int | None) -> str:
    """What people read for a fit.

    >>> run_name("pca", 8), run_name("mean", None)
    ('pca D=8', 'mean')
    """
    return f"{name} D={dimension}" if estimator_type(name).is_swept else name
