"""A view of MLflow's list of runs that a link can name: which runs, in which order, with which columns.

MLflow keeps a view that somebody shares as a tag of the experiment, and its page reads it from there.
"""

import json
from collections.abc import Sequence

from pipeline.experiment.tracking import CURRENT, Tracker

KEY = "contest"
"""The name of the view in links: `viewStateShareKey=contest`."""
_TAG = f"mlflow.sharedViewState.{KEY}"


def share_view(tracker: Tracker, metrics: Sequence[str], ascending: bool) -> None:
    """Let the page of an experiment show its current runs, the best first, with these metrics.

    Args:
        tracker: of the experiment.
        metrics: names of the metrics that are shown; the first one decides the order.
        ascending: whether lower is better.
    """
    columns = [f"metrics.`{name}`" for name in metrics]
    order = {"orderByKey": columns[0], "orderByAsc": ascending} if columns else {}
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
