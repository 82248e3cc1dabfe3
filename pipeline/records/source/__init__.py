"""The source of a dataset as conf names it enters; batches of rows leave, each row with its file, line and raw text.

One file for each form of a source. A line that cannot be read is told as unreadable, and never ends the reading. Which
rows can be used does not belong here.
"""
