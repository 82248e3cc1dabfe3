"""Why a fit keeps the epoch that it keeps, in words: whoever sees the validation loss rise asks."""

from collections.abc import Sequence

import numpy as np

from pipeline.views.answer import listed


def kept_in_words(
    kept: Sequence[float],
    validation: Sequence[float],
    patience: int | None,
    metric: str,
    shares: Sequence[float] = (),
) -> str:
    """One sentence or two about the kept epochs.

    >>> kept_in_words([3], [0.5, 0.4, 0.3], None, "rmse")
    'The validation loss falls to the end, and the fit keeps the last epoch, 3.'

    Args:
        kept: the epoch that each fold's network is from, counted from 1; 0 for what was solved for.
        validation: the validation loss by epoch, with folds their means; empty if there is no validation.
        patience: of the training settings.
        metric: by which validation chooses.
        shares: how far each fold's fit went from where training begins to that epoch, if validation chose among places
            on the way.
    """
    if shares:
        return _on_the_way(shares, len(validation) and (max(kept) or len(validation)), metric)
    if not len(validation):
        return "There is no validation loss to choose an epoch by, so the fit keeps the last one."
    lowest, last = int(np.argmin(validation)) + 1, len(validation)
    n_start = sum(epoch == 0 for epoch in kept)
    if n_start:
        where = f"In {n_start} of {len(kept)} folds the" if n_start < len(kept) else "The"
        return (
            f"{where} fit is a linear model that is solved for: its {metric} on validation is no worse than that of "
            "what was trained."
        )
    if patience is not None:
        return (
            f"Training stops after {patience} epochs without a lower validation loss, and the fit keeps the epoch with "
            f"the lowest, {', '.join(map(str, sorted(set(kept))))}."
        )
    n_last = sum(epoch == last for epoch in kept)
    if n_last == len(kept) and lowest == last:
        return f"The validation loss falls to the end, and the fit keeps the last epoch, {last}."
    said = f"The validation loss is lowest at epoch {lowest}, and training goes on to epoch {last}. "
    if n_last == len(kept):
        return said + (
            f"The fit keeps the last epoch: the one with the lowest loss would be kept only if its {metric} on "
            "validation were better by enough to tell, and it is not."
        )
    where = f"In {len(kept) - n_last} of {len(kept)} folds the" if n_last else "The"
    which = f"epoch {kept[0]}" if len(set(kept)) == 1 else "an earlier epoch"
    return f"{said}{where} fit keeps {which}, because its {metric} on validation is better than that of the last."


def _on_the_way(shares: Sequence[float], end: float, metric: str) -> str:
    """Two sentences about fits that lie somewhere between the start of training and an epoch; 0: no validation."""
    begins = "Training begins at a linear model that is solved for, or in a refresh at the last fit."
    where = listed([f"{100 * share:g}%" for share in sorted(set(shares))])
    if not end:
        return f"{begins} Without validation, the fit lies {where} of the way from there to the last epoch."
    if not any(shares):
        return f"{begins} The fit stays there: nowhere on the way to epoch {end} is the {metric} on validation better."
    who = "The fit lies" if len(shares) == 1 else "The fits of the folds lie"
    return f"{begins} {who} {where} of the way from there to epoch {end}, where the {metric} on validation is best."
