import pytest

from pipeline.views.kept_epoch import kept_in_words

FALLS, RISES = [0.5, 0.4, 0.3], [0.5, 0.3, 0.4, 0.4]


@pytest.mark.parametrize(
    ("kept", "validation", "patience", "said"),
    [
        ([3], [], None, "There is no validation loss to choose an epoch by, so the fit keeps the last one."),
        ([3, 3], FALLS, None, "The validation loss falls to the end, and the fit keeps the last epoch, 3."),
        ([4], RISES, None, "kept only if its rmse on validation were better by enough to tell, and it is not."),
        ([2], RISES, None, "to epoch 4. The fit keeps epoch 2, because its rmse on validation is better than that of"),
        ([2, 4, 4], RISES, None, "In 1 of 3 folds the fit keeps an earlier epoch, because"),
        ([0], RISES, None, "The fit is a linear model that is solved for: its rmse on validation is no worse"),
        ([0, 4, 4], RISES, 5, "In 1 of 3 folds the fit is a linear model"),
        ([3, 2], RISES, 5, "stops after 5 epochs without a lower validation loss, and the fit keeps the epoch with the "
                           "lowest, 2, 3."),
    ],
)  # fmt: skip
def test_the_kept_epoch_is_explained(kept: list[int], validation: list[float], patience: int | None, said: str) -> None:
    assert said in kept_in_words(kept, validation, patience, "rmse")
