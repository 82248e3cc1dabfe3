"""Sparse records to evaluated embeddings.

The path of the data, one folder for each step:

    config       conf/*.yaml -> one experiment, checked
    records      files, databases and samples -> (example, token, label, part) pairs
    proposal     a source -> a commented conf file that runs
    vocabulary   pairs of the training examples -> the dictionary token <-> 0..V-1
    examples     pairs and vocabulary -> sparse examples, a CSR matrix on disk
    embedding    the result of every fit: vectors of tokens, and a `Fitted` that scores
    evaluation   a fit and held-out examples -> metrics, intervals, choices
    pictures     embeddings and tables -> pictures
    tasks        everything that is specific to one kind of prediction
    baselines    sparse examples -> fits to beat, PCA among them
    network      sparse examples -> the learned fit, trained with Lightning
    experiment   settings and examples -> MLflow runs, and their comparison
    views        comparison and fits -> pages, reports, exports

Outside this path: `errors`, the one exception for users, `secrets`, which nothing may show, and `schemas`, the columns
of every frame. A module never imports from a folder further down in this list, and no module here imports Dagster: that
is for `assets/`. `make check` verifies both.
"""
