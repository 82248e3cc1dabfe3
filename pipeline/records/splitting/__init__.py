"""The table of pairs enters; every example leaves with the part or the fold that it belongs to."""
