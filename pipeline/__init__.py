"""Sparse records to judged embeddings.

The way of the data, in order:

    config       one conf file: a complete experiment, checked
    conf_files   conf/*.yaml -> config, or a sentence about what is wrong
    sources      raw records: samples and files, read lazily
    tokens       raw records -> (example, token) pairs
    lookup       the different texts of a column, and their places in a list
    splitting    who trains, who validates, who is held out
    vocabulary   the dictionary token <-> 0..V-1, from training examples only
    arrays       arrays that may be larger than memory
    bags         pairs in any order -> CSR, sorted on disk
    rows         some rows of the sparse examples, wherever they lie
    encoding     sparse examples: CSR (N, V) on disk, memory-mapped
    embedding    Embedding: vocabulary + matrix (V, D) + provenance
    neighbours   the nearest tokens of many, and what share of them is found
    evaluation   one judge for every fit, on the same held-out examples
    intervals    how sure a figure is: bootstrap, paired differences
    tuning       where a setting has several values, validation chooses
    numbers      dense features and the target, on the scale that is learned
    pca          the baseline
    rivals       what else an embedding has to beat, a file each
    models       the networks, nn.Modules only
    batches      rows of the CSR as PyTorch takes them
    touched      a step on the rows of a table that a batch touches
    losses       the softmax over a vocabulary, or over drawn tokens
    starts       the networks at PCA's place
    fitted_network   what a trained network scores
    progress     how fast a training goes, and how long it will take
    training     the learned fit (Lightning)
    methods      every way to a fit, by name
    projection   a latent space in two or three dimensions
    pictures     what people would rather look at than read
    tracking     MLflow: one run a fit
    provenance   what decides a fit, as a key
    fitting      one fit from settings to a finished run, or its reuse
    comparison   all fits side by side, and what their differences show
    effects      what a token does to the predicted number
    pages        what people open: the latent space, the report
    gallery      those pages of a dataset's fits, kept with their runs
    exports      the embedding in other tools' formats

Beside the way: `errors` (the one exception for people), `schemas` (columns and dtypes of every frame), `reference` (the
page about conf files). Imports go upwards in this list only, and no module here knows Dagster: that is `assets/`.
"""
