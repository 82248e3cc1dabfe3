"""Whether the data has room for each D and each baseline of conf: known once the vocabulary is counted."""

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError


def require_room(conf: Dataset, n_training: int, n_tokens: int) -> None:
    """Refuse a D for which the data has no room, and a vocabulary that is too large for a baseline.

    N centred rows over V tokens span fewer than min(N, V) dimensions.

    Raises:
        PipelineError: a D of conf is larger than that, or the vocabulary is too large for a baseline.
    """
    most = min(n_training, n_tokens) - 1
    if most < 1:
        raise PipelineError(
            f"{conf.file}: an embedding needs at least two training examples and two tokens, and here are {n_training} "
            f"and {n_tokens}. Bring more data, or lower `vocabulary.min_count`."
        )
    largest = max(conf.dimensions or (0,))
    if largest > most:
        raise PipelineError(
            f"{conf.file}, dimensions: D={largest} is larger than the data allows, which has {n_training} training "
            f"examples and a vocabulary of {n_tokens}. Lower it to at most {most}."
        )
    for baseline in conf.baselines:
        baseline.require_room(most, n_tokens, conf.file)
