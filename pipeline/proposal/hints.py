"""Words in the names of columns that tell what the columns are for, in English and German."""

import re

OF_EXAMPLES = (
    *("user", "customer", "client", "member", "person", "visitor", "reader", "buyer", "kunde", "kunden", "nutzer"),
    *("uid", "session", "order", "basket", "invoice", "transaction", "cart", "receipt", "patient", "account"),
    "warenkorb",
)
OF_GROUPS = (*OF_EXAMPLES, "host", "household", "family", "building", "subject", "author", "seller", "owner", "company")
"""Several rows may belong to the same one of these, and then they resemble each other."""
OF_TOKENS = (
    *("item", "product", "movie", "film", "book", "song", "track", "artist", "article", "artikel", "produkt", "sku"),
    *("stock", "isbn", "asin", "game", "place", "poi", "venue", "tag", "word", "term", "code", "page", "show", "album"),
    *("partno", "partnumber", "partnr", "component", "bauteil"),
)
OF_EDGES = {"source": ("target", "destination", "dest"), "origin": ("destination", "dest"), "from": ("to",)}
"""Names of the two ends of an edge, such as a flight from one airport to another."""
OF_LABELS = ("title", "titel", "name", "description", "label", "beschreibung", "bezeichnung")
OF_NUMBERS = (
    *("saleprice", "sale_price", "price", "preis", "cost", "kosten", "rent", "miete", "salary", "gehalt", "revenue"),
    *("amount", "betrag", "sales", "target", "value", "wert", "score", "rating", "income", "y", "umsatz"),
    *("profit", "gewinn", "delay", "population"),
)
AMOUNTS = ("amount", "betrag", "sales", "price", "preis", "cost", "kosten", "umsatz", "revenue", "profit", "gewinn")
"""The names of numbers that say how much of something there is, and never name an example or a token."""
OF_MONEY = (*AMOUNTS, "rent", "miete", "salary", "gehalt", "income", "wage", "lohn", "fare")
"""Names of numbers that people compare by factors, such as twice as much, however the numbers are spread."""
OF_WEIGHTS = (
    *("weight", "gewicht", "count", "counts", "quantity", "qty", "plays", "purchases", "views", "clicks", "visits"),
    *("minutes", "hours", "seconds", "duration", "times", "amount", "menge", "anzahl", "minuten"),
)
OF_CLASSES = (
    *("label", "target", "y", "outcome", "churn", "fraud", "survived", "default", "defaulted", "approved"),
    *("readmitted", "subscribed", "failure", "disease", "win", "winner", "diagnosis", "spam", "attrition", "exited"),
    *("converted", "cancelled", "canceled", "prognosis", "dead", "died"),
    *("sentiment", "species", "class", "klasse", "category", "kategorie", "result", "status", "folder", "income"),
)
SURELY_CLASSES = ("label", "class", "klasse", "category", "kategorie", "species")
"""The names of classes that no amount has: numbers in such a column are codes."""
OF_TRAITS = ("sex", "gender", "geschlecht")
"""Names of columns with two values that hardly anyone predicts, though they often come first."""
NO_CATEGORIES = ("id", "url", "scraped", "source", "license", "file", "filename")
IDS = ("id", "ids", "nr", "no", "key", "code", "number", "nummer")
OF_ROWS = ("column_1", "unnamed: 0", "...1", "rownames", "row.names", "rowid")
"""Names that programs give to a column of the numbers of rows; `column_1` here, to a first one without a name."""
WITH_AN_ID = (
    *(*OF_GROUPS, *OF_TOKENS, "", "subj", "cust", "emp", "fam", "hh", "ind", "unit", "firm", "case", "row", "record"),
    *("school", "sch", "student", "teacher", "child", "mother", "hospital", "hosp", "prod", "trip", "event", "device"),
    *("town", "city", "county", "state", "district", "dist", "region", "country", "site", "station", "geo", "house"),
)
"""What stands before `id` in one word, as in `schoolid`; `paid` and `humid` are no ids."""
OF_POST = ("zip", "zipcode", "plz", "postleitzahl", "postcode", "postal")
"""Names of numbers that stand for places: they measure nothing, just as ids do."""
OF_PLACE_AND_TIME = (
    *("year", "month", "day", "hour", "minute", "second", "week", "quarter", "jahr", "monat", "tag", "stunde"),
    *("lat", "lon", "lng", "latitude", "longitude"),
)
"""Names of numbers that say where or when, which nobody predicts unless they say so."""

_LONGER = {
    "person": "personal",
    "venue": "revenue",
    "album": "albumin",
    "order": "disorder|border",
    "author": "authorit",
    "owner": "ownership",
    "place": "displacement|fireplace",
    "product": "production",
    "count": "country|countries|county|account|discount",
    "counts": "accounts|discounts",
    "class": "workclass",
}
"""Other words in which a word stands by chance."""


def stands_in(word: str, name: str) -> bool:
    """Whether a word is a part of a name in small letters without anything between them.

    >>> stands_in("price", "saleprice"), stands_in("venue", "revenue"), stands_in("revenue", "revenue")
    (True, False, True)
    """
    return word in (re.sub(_LONGER[word], " ", name) if word in _LONGER else name)
