"""The pipeline as Dagster assets, and the command line.

`dataset` makes the assets of a dataset, from `preparation` to `inference`. `checks` tests their values, `metadata` and
the files that end so say what their pages show. `__main__` reads the command line, and each command stands in a file of
its own: `run_command`, `proposing`, `servers`, `model_commands`. An asset has names, metadata and one call into
`pipeline`: what is computed does not belong here.
"""
