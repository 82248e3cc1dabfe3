"""One evaluation for every fit: a `Fitted` and held-out examples enter; scores, metrics, intervals and verdicts leave.

Each metric has its formula and an example worked out by hand. `records` decides which examples are held out; how a fit
was made does not matter here.
"""
