"""What a fit does when there is an earlier one of nearly the same data."""

from pydantic import Field

from pipeline.config.section import Section


class Refresh(Section):
    """How the learned embedding goes on from its last fit when the data has changed, instead of beginning anew."""

    share: float = Field(0.3, gt=0, le=1)
    """Share of `max_epochs` for which a refresh learns, at two fifths of the learning rate."""
    grown: float = Field(0.2, ge=0)
    """A full fit once the training examples, their entries or the tokens have become more, or fewer, by this share
    since the last full fit."""
    times: int = Field(5, ge=0)
    """A full fit after so many refreshes. 0: every fit is a full one. There is also a full fit where a refresh is worse
    on validation than the last full fit was, beyond doubt; where settings have changed; and where the last fit has
    learned from what is held out now, as with `folds`, or with `refit` unless time divides the parts."""
