"""What the figures and the pictures do not say, for someone who was not there when they were made."""

from pipeline.config.dataset import Dataset
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import STABILITY
from pipeline.views.answer import too_few


def caveats(conf: Dataset, comparison: Comparison, n_borrowed: int = 0, few: str | None = None) -> list[str]:
    """What to keep in mind, as sentences.

    Args:
        conf: the dataset.
        comparison: of all fits.
        n_borrowed: how many training examples validated, because there were no others.
        few: a sentence about answers that only few examples have.
    """
    said = [_seeds(conf, comparison)]
    if comparison.frame[STABILITY].null_count() < comparison.frame.height:
        said.append(
            "How far nearest tokens hold was measured with halves of the examples, so it is what half as many examples "
            "would show; those of the whole hold better."
        )
    if comparison.metrics:
        said.append(_chosen(conf, comparison, n_borrowed))
    return [
        *said,
        "Nearness is what an embedding means. Its axes have no meaning of their own: turned, the space says the same.",
        f"A token that occurs {_fewer(conf.vocabulary.min_count)} in training is not in the vocabulary"
        f"{'' if conf.vocabulary.keep is False else ', unless an earlier run gave it a place'}. The place of a rare "
        "token rests on few examples, so its nearest tokens do too.",
        *([few] if few is not None else []),
        *([_later(conf)] if conf.split.by_time else []),
        *([_OF_OTHERS] if conf.split.hold_out == "last" and conf.split.time is not None else []),
        *([] if conf.task.predicts_tokens else [_EFFECT]),
    ]


def _seeds(conf: Dataset, comparison: Comparison) -> str:
    """Which chance is in the intervals, and which is not."""
    if too_few(comparison):
        return f"What is shown are the fits of one seed ({conf.seed}), without intervals."
    what = "the held-out examples" if comparison.about.get("n_groups") is None else "groups of the held-out examples"
    if (seeds := comparison.about.get("seeds", 1)) > 1:
        return (
            f"What is shown are the fits of one seed ({conf.seed}). The intervals are over {what} and "
            f"over seeds: each fit that has chance in it was made {seeds} times"
            f"{' in every fold' if conf.split.folds else ''}. The chance of which examples are learned from is not in "
            "them."
        )
    return (
        f"Each fit is one training with one seed ({conf.seed}). The intervals are over {what}; the chance of a "
        "training is not in them: `seeds: 3` measures it."
    )


_EFFECT = (
    "What a token does to the prediction is how the prediction differs with it and without it, everything else the "
    "same: an association in these examples, not a cause."
)

_OF_OTHERS = (
    "What others did after an example's last tokens is learned from, though in use nobody knows it yet. One moment for "
    "all, `hold_out: tokens`, is closer to use."
)


def _later(conf: Dataset) -> str:
    """What becomes of tokens that are new."""
    left_out = ", and the figures leave it out" if conf.vocabulary.unknown == "drop" else ""
    return f"A token that came up after all that is learned from is unknown to every method, as it is in use{left_out}."


def _fewer(times: int) -> str:
    return "nowhere" if times == 1 else f"fewer than {times} times"


def _chosen(conf: Dataset, comparison: Comparison, n_borrowed: int) -> str:
    """By which examples settings were chosen, and how often the figures' examples were looked at."""
    if comparison.about["part"] == "validation":
        return (
            "There are no test examples: the figures are those of the validation examples, by which D, epochs and "
            "settings were chosen too, so they are a little too good."
        )
    if comparison.about["smallest"] is None:
        return "There are no validation examples to choose by, so every setting is the one of the conf file."
    again = ", and every method was then fitted again with them" if conf.refit or n_borrowed else ""
    whose = (
        f"{n_borrowed:,} training examples, because none are there to validate" if n_borrowed else "validation examples"
    )
    chosen = f"D, epochs and the settings of the baselines were chosen by {whose}{again}."
    if conf.split.folds is not None:
        return (
            f"{chosen} Over all folds each example validates and tests, so D was chosen by the examples of these "
            "figures: the best of several that are equally good looks a little too good."
        )
    return f"{chosen} The test examples were looked at once, for these figures."
