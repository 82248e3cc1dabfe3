"""Experiments: settings and sparse examples enter; finished MLflow runs and a comparison of them leave.

The only user of MLflow. `fitting` makes the run of each fit, and does not repeat one with the same inputs, settings and
code; `tracking` opens runs and finds them. `comparison` judges all fits, `champion` chooses the one that answers, and
`load_model` loads it. How a method learns, and what people see of it, does not belong here.
"""
