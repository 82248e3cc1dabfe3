"""Raw records: files, tables and samples enter, a table of (example, token, part, weight) pairs leaves.

The way: `source` gives rows, of which `cleaning` keeps those that can be used, and `ingest` or `periods` write them;
`pairs` makes the table, and `splitting` says what trains. `columns`, `values` and `tokens` tell what a column means.
Everything is lazy or runs in batches. The integers of tokens do not belong here: the vocabulary gives them.
"""
