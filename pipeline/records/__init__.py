"""Raw records: files, tables and samples enter, a table of (example, token, part, weight) pairs leaves.

This package decides what a column means, how text becomes tokens, and which examples train, validate and test.
Everything is lazy or runs in batches. The integers of tokens do not belong here: the vocabulary gives them.
"""
