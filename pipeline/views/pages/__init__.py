"""Pages that people open: one HTML file each, which works offline and can be mailed."""
