"""A source that grows enters; the records of each period leave, in a folder of its own, and only new ones are read."""
