"""A path, address or table enters; a commented conf file leaves that says what its data is, and runs.

It looks at the first rows only. Each guess has its reason, and the next best guess beside it. What a conf file means
does not belong here.
"""
