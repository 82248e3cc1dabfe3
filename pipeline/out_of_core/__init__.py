"""Work on more than fits into memory: batches of numbers enter; arrays on disk, or blocks one after the other, leave.

An array grows or is mapped from disk, entries in any order become a CSR matrix, and threads work on blocks side by
side. What the numbers mean does not belong here.
"""
