"""The baselines that a learned embedding has to beat, one file each: a `Problem` enters, a `Fitted` leaves.

PCA is one of them. Each file has the class of the settings, which knows how to fit, and the class of the fit, which can
be restored from its saved weights. Lightning and MLflow do not belong here.
"""
