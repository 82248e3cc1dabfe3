"""The kinds of tokens, a file each: a column of the raw records enters, its texts leave, as an expression of Polars."""
