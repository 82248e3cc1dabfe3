"""The tasks, a file each: sections of conf enter, all that is particular to a task leaves, as one object.

What an example has beside its tokens, its metrics, how its answers are learned and what people read of them. Its
network is named here and stands in `network`. Nothing that is the same for all tasks belongs here, and nothing else
asks which task it is.
"""
