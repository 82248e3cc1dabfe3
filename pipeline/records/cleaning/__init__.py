"""Batches of rows enter; the records that can be used leave, and every other row is counted, with its reason.

How the texts of a column are read does not belong here.
"""
