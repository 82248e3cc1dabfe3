"""Every kind of token, task and baseline that a conf file can name, and the module that holds all there is to it.

A new kind needs a file of its own and one line here. The modules belong to packages that import this one, so they are
imported by name, when a conf file that names them is read.
"""

TOKENS = {
    "value": "records.tokens.value",
    "words": "records.tokens.words",
    "characters": "records.tokens.characters",
    "items": "records.tokens.items",
    "indicators": "records.tokens.indicators",
}
TASKS = {
    "missing_tokens": "tasks.missing_tokens",
    "regression": "tasks.regression",
    "classification": "tasks.classification",
}
BASELINES = {
    "pca": "baselines.pca",
    "popularity": "baselines.popularity",
    "course_network": "network.course",
    "als": "baselines.als",
    "ease": "baselines.ease",
    "item_knn": "baselines.item_knn",
    "mean": "baselines.mean",
    "ridge": "baselines.ridge",
    "most_frequent_class": "baselines.most_frequent_class",
    "logistic_regression": "baselines.logistic_regression",
    "boosted_trees": "baselines.boosted_trees",
    "pca_boosted_trees": "baselines.pca_boosted_trees",
}
