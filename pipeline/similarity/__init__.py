"""Vectors of tokens -> which tokens are nearest to each, and how far that holds.

Enters: matrices (V, D), and how many examples have each token. Leaves: the integers of the nearest tokens, and the
stability of each token. Which method made the vectors, and how replicas of it are fitted, does not belong here.
"""
