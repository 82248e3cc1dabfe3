"""What people and other tools open: a comparison and finished fits enter; pages, tables, reports and exports leave.

Nothing is learned or measured here, except the effect of a token on a prediction and the recall of a neighbour index.
"""
