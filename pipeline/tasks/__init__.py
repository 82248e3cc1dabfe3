"""The tasks, one file each: sections of conf enter, and everything that is specific to a task leaves as one object.

This is what an example has beside its tokens, the metrics, how answers are learned, and how people read them. The
task's network is named here and defined in `network`. Nothing that is the same for all tasks belongs here. Only conf,
the methods that fit and the answers ask which task it is; others ask at most whether it `predicts_tokens`.
"""
