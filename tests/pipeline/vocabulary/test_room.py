import pytest

from pipeline.baselines.ease import Ease
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.vocabulary.room import require_room


def test_a_vocabulary_that_is_too_large_for_a_baseline_is_told_before_it_is_tried(movies: Dataset) -> None:
    conf = movies.model_copy(update={"baselines": (Ease(max_tokens=1000),)})
    with pytest.raises(PipelineError, match=r"baselines: ease needs a matrix .* V = 20,000 .* 9.6 GB of memory"):
        require_room(conf, 10_000, 20_000)
