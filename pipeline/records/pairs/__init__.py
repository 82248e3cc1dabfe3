"""Records that can be used enter; one table of (example, token, part, weight) pairs leaves, as numbers.

Where conf says so, time divides the pairs. On a cluster the table is made in chunks.
"""
