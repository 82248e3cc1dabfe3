"""Sparse examples: pairs and a vocabulary enter, a CSR matrix (N, V) on disk leaves, memory-mapped.

Beside it stand the dense features, the target, and views of some rows: those that train and those that are held out.
Nothing here learns, and nothing here knows PyTorch.
"""
