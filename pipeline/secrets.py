"""Secrets stand in the environment, and nothing that is kept or shown holds one.

A conf file names a variable of the environment as `${NAME}`. Its value is put in only where a source is opened; what
people read, and what is kept, has the name. Passwords that stand in an address itself are masked.
"""

import os
import re
from functools import partial
from urllib.parse import quote, quote_plus

_NAMED = re.compile(r"\$\{(\w+)\}")
_SHORTEST = 3
"""Values shorter than this, such as a port's digit, are too common to be masked in other texts."""
_MASK = "***"
_PATTERNS = (
    (re.compile(r"(?<=://)([^\s:/@'\"]*):([^\s'\"]*)@"), rf"\1:{_MASK}@"),  # user:password@host
    (re.compile(r"(?<=://)([^\s:/@'\"]+)@(?!\s)"), rf"{_MASK}@"),  # token@host
    (
        re.compile(
            r"(?i)([?&;][\w.-]*(?:token|key|secret|sig|signature|passw(?:or)?d|pwd|auth|credential)[\w.-]*=)[^&\s'\"#]+"
        ),
        rf"\1{_MASK}",
    ),
    (re.compile(r"(?i)\b((?:password|passwd|pwd)\s*=\s*)[^\s'\",;&]+"), rf"\1{_MASK}"),
)
_used: set[str] = set()
"""The values that were put into a text of this process."""


class UnknownVariableError(Exception):
    """The environment has no such variable; its message is the name."""


def expanded(text: str) -> str:
    """A text with the values of the variables that it names.

    Raises:
        UnknownVariableError: the environment lacks one.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in os.environ:
            raise UnknownVariableError(name)
        _used.add(os.environ[name])
        return os.environ[name]

    return _NAMED.sub(value, text)


def masked(text: str) -> str:
    """A text without secrets: passwords and keys of addresses, and values that were taken from the environment.

    >>> masked("https://me:pass@host/x.csv?token=abc&page=1 cannot be read")
    'https://me:***@host/x.csv?token=***&page=1 cannot be read'
    >>> masked("postgresql://${USER}:${PASSWORD}@host/db")
    'postgresql://${USER}:${PASSWORD}@host/db'
    """
    for secret in sorted(_used, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            for form in {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1]}:
                text = text.replace(form, _MASK)
    for pattern, put in _PATTERNS:
        text = pattern.sub(partial(_unless_named, put), text)
    return text


def _unless_named(put: str, found: re.Match[str]) -> str:
    """The masked match, or the match itself if its secret is the name of a variable."""
    secret = found[found.re.groups] if found.re.groups > 1 else found[0].rpartition("=")[2].removesuffix("@")
    return found[0] if _NAMED.fullmatch(secret) else found.expand(put)
