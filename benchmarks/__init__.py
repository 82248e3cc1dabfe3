"""Public data in published protocols: loaders for the original files, confs, and the tables of figures."""
