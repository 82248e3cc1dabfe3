"""An earlier fit on today's examples: it has learned another vocabulary, and maybe other classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.arrays import Array
from pipeline.embedding import Embedding, Fitted, nowhere
from pipeline.examples.weight_scale import UNWEIGHTED
from pipeline.inference.bulk import Scales, in_own, translation
from pipeline.tasks.classification import LEAST_PROBABILITY
from pipeline.vocabulary.vocabulary import Vocabulary


class InVocabulary:
    """A fit that scores lists over another vocabulary than its own: tokens are the same if their texts are."""

    def __init__(
        self,
        fitted: Fitted,
        vocabulary: Vocabulary,
        predicts_tokens: bool,
        scales: Scales = (UNWEIGHTED, None),
        classes: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> None:
        """Wrap a fit.

        Args:
            fitted: over its own vocabulary.
            vocabulary: the other one.
            predicts_tokens: whether its scores are those of tokens; one that it does not know gets minus infinity.
            scales: what weights count by in the lists that it will score, and in those that it has learned from.
            classes: its own, and those of today; to one that it does not know it gives next to no probability.
        """
        self.fitted, self.predicts_tokens = fitted, predicts_tokens
        self.embedding: Embedding = nowhere(vocabulary)
        self.weights: dict[str, Array] = {}
        self.chosen: dict[str, Any] = {}
        own, (learned, today) = fitted.embedding.vocabulary, classes
        place = {name: i for i, name in enumerate(learned)}
        self._class = np.array([place.get(name, -1) for name in today], np.int64)  # (C,) among its own, -1 for none
        self._place = own.find(vocabulary.tokens["token"])  # (V,) in its own vocabulary, -1 for none
        self._to_own, self._scales = translation(vocabulary, own), scales

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """Scores as `Fitted.score` gives them, of the tokens of the other vocabulary where tokens are predicted."""
        scores = self.fitted.score(in_own(inputs, self._to_own, self._scales), dense)
        if len(self._class):
            known = self._class >= 0
            probabilities = np.full((len(scores), len(self._class)), LEAST_PROBABILITY)
            probabilities[:, known] = scores[:, self._class[known]]
            return probabilities
        if not self.predicts_tokens:
            return scores
        translated = np.full(inputs.shape, -np.inf, np.float32)
        known = self._place >= 0
        translated[:, known] = scores[:, self._place[known]]
        return translated
