"""Vectors of tokens -> which tokens are nearest to each, and how far that holds.

Matrices (V, D) enter, with the number of examples that have each token; the integers of the nearest tokens and the
stability of each token leave. Which method made the vectors, and how replicas of it are fitted, does not belong here.
"""
