"""Makes the JSON Schema of conf files, with which editors check them: `python -m pipeline.config.json_schema`."""

import json
from typing import Any

from pipeline.config.dataset import Dataset


def json_schema() -> dict[str, Any]:
    """What a conf file may hold, as JSON Schema of the draft 2020-12."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **Dataset.model_json_schema(), "title": "Embedding Pipeline: a conf file"}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1))
