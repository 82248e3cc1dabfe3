"""The one exception that people are meant to read. Everything else that is raised is a defect of ours."""


class PipelineError(Exception):
    """A mistake that the reader can cure: its message says what is wrong, where, and what to do."""
