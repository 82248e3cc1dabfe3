"""What conf files say, as frozen, checked objects: `conf/*.yaml` enters, one `Dataset` leaves.

Each setting is written down once, with its meaning, its unit and its default; the reference page is made of that. What
the settings do, and anything that has to look at the records, does not belong here.
"""
