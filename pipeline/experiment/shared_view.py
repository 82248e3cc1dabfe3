"""A view of MLflow's list of runs that a link can name: which runs, in which order, with which columns.

MLflow keeps a view that somebody shares as a tag of the experiment, and its page reads it from there.
"""

import json

from pipeline.experiment.comparison import Comparison
from pipeline.experiment.tracking import CURRENT, Tracker

KEY = "contest"
"""The name of the view in links: `viewStateShareKey=contest`."""
_TAG = f"mlflow.sharedViewState.{KEY}"
_METRICS = 2
"""Metrics that have a column, the primary one first."""


def share_view(tracker: Tracker, comparison: Comparison) -> None:
    """Let MLflow's page of an experiment show its current runs, the best first, with the metrics that matter.

    Args:
        tracker: of the experiment.
        comparison: of its current runs; its primary metric decides the order.
    """
    about = comparison.about
    columns = [f"metrics.`{about['part']}_{name}`" for name in comparison.metrics[:_METRICS]]
    order = (
        {"orderByKey": columns[0], "orderByAsc": comparison.metrics[0] in about["lower_is_better"]} if columns else {}
    )
    view = {
        "searchFilter": f"tags.{CURRENT} = 'yes'",
        **order,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*columns, "params.`dimension`"],
        "runsHiddenMode": "SHOW_ALL",
    }
    tracker.client.set_experiment_tag(tracker.experiment_id, _TAG, json.dumps(view))
