"""What conf files say, as frozen, checked objects: `conf/*.yaml` enters, one `Dataset` leaves.

Each setting is written down once, with its meaning, its unit and its default; the reference page is made of that. Of
what comes in kinds (tokens, tasks, baselines) the base class is here and each kind in a file of its own, in the folder
that does its work. Anything that has to look at the records does not belong here.
"""
