"""The kinds of tokens, one file each: a column of raw records enters, a Polars expression of its texts leaves."""
