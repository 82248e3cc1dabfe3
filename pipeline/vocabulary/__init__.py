"""The dictionary token <-> 0..V-1: pairs of the training examples enter, a `Vocabulary` with its fingerprint leaves.

It is counted once and frozen; everything made with it carries the fingerprint. How an example is stored does not
belong here.
"""
