"""What a learned embedding has to beat, a file each: training examples enter, a `Fitted` leaves.

PCA is one of them. Each file has a function `fit` and the type that it returns, which its weights can make again.
Lightning and MLflow do not belong here.
"""
