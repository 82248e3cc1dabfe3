"""What an embedding has to beat, a file each: a function `fit`, and a type that `fit` returns and the weights restore.

To add one: its file here, its settings in `config`, a line in `methods`.
"""
