"""The learned embedding: training examples enter, a `Fitted` with the weights of a trained network leaves.

Networks, losses, the closed-form start, batches from the CSR matrix, and the training itself, which is the only user of
Lightning. Which settings are tried, and where results are kept, does not belong here.
"""
