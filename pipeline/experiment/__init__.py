"""Experiments: settings and sparse examples enter; finished MLflow runs and a comparison of them leave.

The only user of MLflow. A fit that was done before, with the same inputs, settings and code, is not repeated. How a
method learns, and what people see of it, does not belong here.
"""
