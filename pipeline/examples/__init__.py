"""Sparse examples: pairs and a vocabulary enter, a CSR matrix (N, V) on disk leaves, memory-mapped.

The dense features and the target are kept beside it. Its rows are viewed as sets of examples: those that train, and
those that are held out. Nothing here learns an embedding, and nothing here imports PyTorch.
"""
