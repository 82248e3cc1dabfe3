"""A finished fit at work: lists or records that nothing was learned from enter, answers leave.

Answers are the missing tokens of a list, a number with its interval, or the probabilities of classes, and for every
task the tokens that are near each other. A fit is saved and loaded here, without pickles. What goes in is never
ranked, and nothing is trained. Neither MLflow, which keeps the models, nor Dagster belongs here.
"""
