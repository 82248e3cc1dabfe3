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


@pytest.mark.parametrize(
    ("kept", "shares", "validation", "said"),
    [
        ([4], [0.25], RISES, "The fit lies 25% of the way from there to epoch 4, where the log_loss on validation is"),
        ([3], [1.0], RISES, "The fit lies 100% of the way from there to epoch 3,"),
        ([4, 0, 4], [0.5, 0, 0.125], RISES, "of the folds lie 0%, 12.5% and 50% of the way from there to epoch 4"),
        ([0], [0], RISES, "The fit stays there: nowhere on the way to epoch 4 is the log_loss on validation"),
        ([4], [0.75], [], "Without validation, the fit lies 75% of the way from there to the last epoch."),
    ],
)  # fmt: skip
def test_a_fit_between_the_start_and_the_end_is_explained(
    kept: list[int], shares: list[float], validation: list[float], said: str
) -> None:
    told = kept_in_words(kept, validation, None, "log_loss", shares)
    assert told.startswith("Training begins at a linear model that is solved for, or in a refresh at the last fit.")
    assert said in told
