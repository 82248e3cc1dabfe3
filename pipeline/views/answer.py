"""The answer that a person came for: which D to take, and what the learned embedding is worth, in short sentences."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy import special

from pipeline.errors import number_of
from pipeline.estimators import EMBEDDING, PCA, estimator_type, run_name
from pipeline.evaluation.bootstrap import FEWEST, LEVEL
from pipeline.experiment.comparison import Comparison

_KEPT = 0.9
"""A smaller D is named if it keeps at least this share of the metric, or adds at most the rest to an error."""
_SHARES = {2: "half", 3: "a third", 4: "a quarter", 8: "an eighth"}

_ALL_OTHERS = {1: "the other baseline", 2: "both other baselines"}


def answer(comparison: Comparison) -> str:
    """Which D to take and why, and what the learned embedding is beside PCA and the others; one to five sentences."""
    if not comparison.metrics:
        return f"Nothing was measured, because {unmeasured(comparison)}."
    few = too_few(comparison)
    if few:
        return few
    blind = without_signal(comparison)
    first = _no_signal(comparison, blind) if blind else _dimension(comparison)
    said = (first, _chosen_by_few(comparison), _worth(comparison, bool(blind)))
    return " ".join(sentence for sentence in said if sentence)


def unmeasured(comparison: Comparison) -> str:
    """Why nothing was measured, as a part of a sentence: where time divides tokens, all that came later may be new."""
    is_divided = comparison.about.get("split") and comparison.about.get("predicts_tokens")
    return f"no example is held out{' that has known tokens to go in and others to predict' if is_divided else ''}"


def too_few(comparison: Comparison) -> str:
    """A sentence that there are too few examples, or groups of them, to tell anything; empty if there are enough."""
    groups, part = comparison.about.get("n_groups"), comparison.about["part"]
    n, what = (comparison.about["n_examples"], "example") if groups is None else (groups, "group")
    if n >= FEWEST:
        return _too_few_others(comparison)
    are = f"{n} {part} {what}s are" if n != 1 else f"1 {part} {what} is"
    return f"{are} too few to tell what the fits are worth: at least {FEWEST} are needed. {_more(comparison)}"


def _more(comparison: Comparison) -> str:
    """A sentence that says how more examples come to be tested; folds test all already."""
    each = "" if comparison.about.get("in_folds") else ", or let `split.folds` test each example"
    return f"Bring more data{each}."


def _too_few_others(comparison: Comparison) -> str:
    """A sentence that too few examples have another answer than the most frequent one; empty if enough do."""
    n, part = comparison.about["n_examples"], comparison.about["part"]
    same, n_alike = comparison.about.get("alike") or (None, 0)
    others = n - n_alike
    if others >= FEWEST:
        return ""
    value = repr(same) if isinstance(same, str) else f"{same:g}"
    return (
        f"{_nearly_all(others, n, part)}, {value}: too few others to tell what the fits are worth, at least {FEWEST} "
        f"are needed. {_more(comparison)}"
    )


def without_signal(comparison: Comparison) -> str | None:
    """The baseline that ignores the example, if neither the best learned fit nor that of the D to take is better."""
    blind = [name for name in comparison.frame["method"].unique() if estimator_type(name).ignores_examples]
    if not blind or comparison.taken is None:
        return None
    best = {run_name(EMBEDDING, d) for d in (comparison.about["best"], comparison.taken)}
    return None if any(_verdict(comparison, fit, blind[0]) == "better" for fit in best) else blind[0]


def _no_signal(comparison: Comparison, blind: str) -> str:
    """A sentence that the primary metric shows no signal, and which other metrics do."""
    primary, *others = comparison.metrics
    others = [name for name in others if name in comparison.about.get("shows_signal", others)]
    best = run_name(EMBEDDING, comparison.about["best"])
    shown = [name for name in others if _is_sure(comparison.verdict(best, blind, name), len(others))]
    but = f" {listed(shown)} {'shows' if len(shown) == 1 else 'show'} one." if shown else ""
    return (
        f"No signal shown by {primary}: no learned embedding is shown to be better than {blind}, which ignores the "
        f"example.{but}"
    )


def _is_sure(found: Mapping[str, Any], n: int) -> bool:
    """Whether a fit is better beyond doubt in one of n metrics, any of which could be so by chance (Bonferroni)."""
    wider = special.ndtri(1 - (1 - LEVEL) / 2 / n) / special.ndtri((1 + LEVEL) / 2)
    half = (found["high"] - found["low"]) / 2
    return found["verdict"] == "better" and bool(abs(found["difference"]) > wider * half)


def listed(names: Sequence[str]) -> str:
    """Names as a list in a sentence.

    >>> listed(["D=2", "D=8", "D=32"]), listed(["D=2"])
    ('D=2, D=8 and D=32', 'D=2')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _dimension(comparison: Comparison) -> str:
    """Which D to take, by validation, and what a smaller one would cost."""
    tried = comparison.frame.filter(method=EMBEDDING)["dimension"].sort().to_list()
    best, smallest = comparison.about["best"], comparison.about["smallest"]
    if best is None:
        return ""
    if len(tried) == 1:
        return f"D={best} is the only one that was tried."
    if smallest is None:
        return f"Take D={best}, the largest that was tried: there are no validation examples to choose by."
    if smallest < best:
        size = _share(smallest, best)
        return f"Take D={smallest}: on validation it is as good as D={best}, the best, up to a standard error, {size}."
    smaller = [d for d in tried if d < best]
    kept = _kept(comparison, smaller, best) if smaller else ""
    return f"Take D={best}: the best of those tried on validation{kept}."


def _chosen_by_few(comparison: Comparison) -> str:
    """A sentence that hardly any examples, or groups of them, chose; empty if enough did, or if there was no choice."""
    n, what = comparison.about.get("chosen_by", 0), "example" if comparison.about.get("n_groups") is None else "group"
    in_all, alike = comparison.about.get("n_validation", 0), comparison.about.get("n_validation_alike")
    if 0 < n < FEWEST:
        few = f"Only {number_of(n, what)} validated"
    elif alike is not None and in_all - alike < FEWEST:
        few = _nearly_all(in_all - alike, in_all, "validation")
    else:
        return ""
    return f"{few}: what was chosen, D and settings, may be chance."


def _nearly_all(others: int, n: int, part: str) -> str:
    """That all examples, or all but a few others, have one answer, as the beginning of a sentence."""
    return f"All{f' but {others} of the' if others else ''} {n:,} {part} examples have the same answer"


def _kept(comparison: Comparison, every: Sequence[int], best: int) -> str:
    """What the best of the smaller D keeps of the metric, if it is nearly all."""
    metric = comparison.metrics[0]
    of = dict(comparison.frame.filter(method=EMBEDDING).select("dimension", metric).rows())
    lower_is_better = metric in comparison.about["lower_is_better"]
    smaller = min(every, key=lambda d: of[d] if lower_is_better else -of[d])
    share = of[smaller] / of[best] if of[best] > 0 else math.nan
    if not lower_is_better and share >= _KEPT:
        return f"; D={smaller} keeps {share:.0%} of its {metric} {_share(smaller, best)}"
    if lower_is_better and 1 <= share <= 2 - _KEPT:
        more = "less than 1%" if share < 1.01 else f"{share - 1:.0%}"
        return f"; with D={smaller} its {metric} is {more} larger, {_share(smaller, best)}"
    return ""


def _share(smaller: int, larger: int) -> str:
    """How large an embedding is in comparison with one of more dimensions, in words.

    >>> _share(8, 32), _share(3, 32)
    ('at a quarter of the size', 'at 9% of the size')
    """
    times, rest = divmod(larger, smaller)
    share = _SHARES.get(times) if not rest else None
    return f"at {share or f'{smaller / larger:.0%}'} of the size"


def _worth(comparison: Comparison, is_blind: bool) -> str:
    """The learned embedding beside PCA of the same D, and that of the D to take beside every other baseline.

    Args:
        comparison: of the fits.
        is_blind: whether no signal is shown, so that there is nothing by which others could differ.
    """
    found = {against: _verdict(comparison, fit, against) for fit, against in comparison.told_pairs()}
    beside_pca = [verdict for against, verdict in found.items() if comparison.method(against) == PCA]
    others = {against: verdict for against, verdict in found.items() if comparison.method(against) != PCA}
    said = _beside_pca(beside_pca)
    if set(beside_pca) == {"better"}:
        if set(others.values()) == {"better"}:
            n = len({comparison.method(name) for name in others})
            said += f", and {_ALL_OTHERS.get(n, f'all {n} other baselines')}"
        said += _reached(comparison)
    better = [name for name, verdict in others.items() if verdict == "worse"]
    is_smaller = comparison.taken != comparison.about["best"]
    are, of_which = "is" if len(better) == 1 else "are", f" of D={comparison.taken}" if is_smaller else ""
    than = f"{listed(better)} {are} better than the learned embedding{of_which}" if better else ""
    level = [name for name, verdict in others.items() if verdict == "no difference shown" and not is_blind]
    beside = f"Beside {listed(level)} no difference is shown" if level else ""
    return " ".join(f"{sentence}." for sentence in (said, than, beside) if sentence)


def _reached(comparison: Comparison) -> str:
    """With how many dimensions PCA is as good as the D to take, as the end of a sentence."""
    reached = comparison.about["worth"][comparison.taken]
    if reached and reached < (comparison.taken or 0):
        return f", but PCA of D={reached} is no worse than D={comparison.taken}"
    if reached:
        return f"; PCA needs D={reached} to be as good"
    if is_beyond_pca(comparison, comparison.taken):
        return f"; PCA does not reach it up to D={most_of_pca(comparison)}"
    return ""


def is_beyond_pca(comparison: Comparison, dimension: int | None) -> bool:
    """Whether a learned D is shown to be better than PCA of every D, and PCA had more dimensions than it, too."""
    every = comparison.frame.filter(method=PCA)["fit"]
    found = {_verdict(comparison, run_name(EMBEDDING, dimension), pca) for pca in every}
    return found == {"better"} and most_of_pca(comparison) > (dimension or 0)


def most_of_pca(comparison: Comparison) -> int:
    """The largest D of PCA; 0 without PCA."""
    return int(max(comparison.frame.filter(method=PCA)["dimension"], default=0))


def _beside_pca(found: Sequence[str]) -> str:
    """The verdicts beside PCA of the same D, in a few words."""
    n, worse, each = found.count("better"), found.count("worse"), "at every D" if len(found) > 1 else "of the same D"
    if not found:
        return ""
    if worse == len(found):
        return f"The learned embedding is worse than PCA {each}"
    if n == len(found):
        return f"The learned embedding beats PCA {each}"
    at = f"at {n} of {len(found)} D" if n else "at any D" if len(found) > 1 else "of the same D"
    of_all = "" if n else f" of {len(found)}"  # "at any D, and is worse at 1" would be taken for D=1
    than = f", and is worse at {worse}{of_all}" if worse else ""
    return f"The learned embedding {'beats PCA' if n else 'is not shown to beat PCA'} {at}{than}"


def _verdict(comparison: Comparison, fit: str, against: str) -> str:
    return str(comparison.verdict(fit, against, comparison.metrics[0])["verdict"])
