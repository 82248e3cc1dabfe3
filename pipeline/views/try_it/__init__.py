"""A page on which to try a champion: lists or records go in, answers come out at once, with why.

Streamlit draws it, because a page there is one script that runs from its start at each change, and it works offline.
The pages that are kept with a run stand in `pages`.
"""
