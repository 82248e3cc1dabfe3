"""Every estimator, by name: the learned embedding and the baselines."""

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.embedding import Estimator
from pipeline.network.learned import LearnedEmbedding

EMBEDDING = LearnedEmbedding.NAME
PCA = "pca"


def estimator(name: str, conf: Dataset) -> Estimator:
    """The estimator with this name, with the settings of a dataset.

    Args:
        name: `embedding`, or the kind of one of the dataset's baselines.
        conf: the dataset.
    """
    return LearnedEmbedding(conf) if name == EMBEDDING else conf.baseline(name)


def estimator_type(name: str) -> type[LearnedEmbedding] | type[Baseline]:
    """The class of the estimator with this name."""
    return LearnedEmbedding if name == EMBEDDING else Baseline.named(name)


def modules(name: str, conf: Dataset) -> list[str]:
    """The modules whose code decides a fit, apart from what they import: those of the method and of the task."""
    found = [estimator_type(name).__module__, type(conf.task).__module__]
    return [*found, conf.task.learner, conf.task.network] if name == EMBEDDING else found


def run_name(name: str, dimension: int | None) -> str:
    """The name of a fit, for people.

    >>> run_name("pca", 8), run_name("mean", None)
    ('pca D=8', 'mean')
    """
    return f"{name} D={dimension}" if estimator_type(name).is_swept else name
