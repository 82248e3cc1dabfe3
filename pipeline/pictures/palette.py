"""The colours of all pictures, and of the map on a page."""

INK, SOFT = "#222222", "#6b7280"
"""The colours of texts and lines: black, and grey for what is less important."""
BLUE, ORANGE = "#2563a8", "#d9730d"
BLUE_ON_DARK = "#8ab8ee"
METHODS = (BLUE, ORANGE, "#3b8a3e", "#8a4fa3")
"""The colours of methods side by side: the learned embedding, PCA, and others."""
CATEGORIES = ("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#AA4499", "#44AA99", "#882255")
"""Colours of categories that colour-blind people tell apart: Paul Tol's scheme `muted` (personal.sron.nl/~pault)."""
CATEGORIES_ON_DARK = ("#77AADD", "#EE8866", "#44BB99", "#EEDD88", "#99DDFF", "#FFAABB", "#BBCC33", "#AAAA00")
"""The same on a dark page: his scheme `light`."""
OTHER_COLOUR = "#9aa1ad"
"""The colour of what has no category, or a rare one."""
SIGNED = ("#c25e00", "#9a9da3", "#2b7bd0")
"""The colours of numbers below 0, about 0 and above 0."""
SEQUENTIAL = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""The colours of numbers from low to high: Matplotlib's `viridis`."""
