"""What people write in columns of texts enters; numbers with one unit, times, or nothing leave.

A column tells what a single text cannot: which mark stands before decimals, and whether the day or the month comes
first. Which columns are read so does not belong here.
"""
