"""What web pages leave in texts: the tags of HTML, and references to characters."""

import html

import polars as pl

_ELEMENTS = (
    "a|abbr|b|big|blockquote|br|center|cite|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|q|s|small|span|strike|strong|"
    "sub|sup|table|tbody|td|th|thead|tr|tt|u|ul"
)
_TAG = rf"(?i)</?(?:{_ELEMENTS})(?:\s[^<>]*)?/?>"
_REFERENCE = "&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"


def without_markup(texts: pl.Series) -> pl.Series:
    """Texts without the tags of HTML, and with the characters that its references stand for.

    What else stands between `<` and `>` stays: it is no element of HTML.

    >>> without_markup(pl.Series(["A caf&eacute;.<br /><B>Quiet</B>", "3 <b 4", "tea &amp; <unk>"])).to_list()
    ['A café.  Quiet ', '3 <b 4', 'tea & <unk>']
    """
    has_references = texts.str.contains(_REFERENCE)
    if has_references.any():  # few texts have them, and Python reads them one after the other
        read = texts.filter(has_references).map_elements(html.unescape, return_dtype=pl.String)
        texts = texts.clone().scatter(has_references.arg_true(), read)
    if texts.str.contains("<", literal=True).any():
        texts = texts.str.replace_all(_TAG, " ")
    return texts
