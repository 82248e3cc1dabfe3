"""Raw records: files and samples enter, a table of (example, token, label, part) pairs leaves.

Here stands what a column means, how text becomes tokens, and which examples train, validate and test. Everything is
lazy or goes in batches. Integers do not belong here: that is the vocabulary's business.
"""
