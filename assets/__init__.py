"""The pipeline as Dagster assets: names, groups, descriptions, metadata, and one call each into `pipeline`."""
