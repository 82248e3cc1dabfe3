"""What a learned embedding has to beat, a file each: a `Problem` enters, a `Fitted` leaves.

PCA is one of them. Each file has the settings, which know how to fit, and the type that a fit returns, which comes back
from its weights. Lightning and MLflow do not belong here.
"""
