"""Conf files as frozen, checked objects: `conf/*.yaml` enters, one `Dataset` leaves.

Each setting is written down once, with its meaning, its unit and its default; the reference page is generated from
that. Tokens, tasks and baselines come in kinds: their base classes are here, and each kind has a file of its own in the
folder that does its work. Anything that has to look at the records does not belong here.
"""
