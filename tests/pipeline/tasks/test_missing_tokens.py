import pytest

from pipeline.tasks.missing_tokens import FEW_TOKENS, MissingTokens


@pytest.mark.parametrize(
    ("asked", "n_tokens", "first"),
    [
        (None, FEW_TOKENS + 1, "recall_at_20"),
        (None, FEW_TOKENS, "ndcg_at_20"),  # nearly all tokens are among the first 20, whatever was learned
        ("recall_at_50", 12, "recall_at_50"),
    ],
)
def test_the_primary_metric_tells_fits_apart(asked: str | None, n_tokens: int, first: str) -> None:
    task = MissingTokens.model_validate({"kind": "missing_tokens", "primary": asked}).resolved(n_tokens)
    assert task.metrics[0].name == first
    assert len({metric.name for metric in task.metrics}) == 4
