"""A path, address or table enters; a commented conf file leaves that says what its data is, and runs.

`look` reads the first rows, `profile` tells what a column holds, `shape` what the columns are for, and `conf_file`
writes it down. Each guess has its reason, and the next best guess beside it. What a conf file means does not belong
here.
"""
