"""One evaluation for every fit: a `Fitted` and held-out examples enter; scores, metrics, intervals, verdicts leave.

Each metric has its formula and an example done by hand. Which examples are held out is decided in `records`; how a fit
came about does not matter here.
"""
