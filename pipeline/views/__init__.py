"""What people and other tools open: a comparison and finished fits enter; pages, tables, reports and exports leave.

Nothing is learned or measured here, but for what a token does to a prediction and how many neighbours an index finds.
"""
