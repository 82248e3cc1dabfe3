"""Sparse records to evaluated embeddings.

The way of the data, a folder a step:

    config       conf/*.yaml -> one experiment, checked
    records      files and samples -> (example, token, label, part) pairs
    vocabulary   pairs of the training examples -> the dictionary token <-> 0..V-1
    examples     pairs and vocabulary -> sparse examples, a CSR matrix on disk
    embedding    what every fit ends in: vectors of tokens, and a `Fitted` that scores
    evaluation   a fit and held-out examples -> metrics, intervals, choices
    pictures     embeddings and tables -> pictures
    tasks        what is particular to each thing that can be learned
    baselines    sparse examples -> fits to beat, PCA among them
    network      sparse examples -> the learned fit, trained with Lightning
    experiment   settings and examples -> MLflow runs, and their comparison
    views        comparison and fits -> pages, reports, exports

Beside the way: `errors`, the one exception for people, and `schemas`, the columns of every frame. An import goes to a
folder further up in this list, never down, and no module here knows Dagster: that is `assets/`. `make check` tells.
"""
