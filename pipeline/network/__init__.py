"""The learned embedding: a `Problem` enters, a `Fitted` with the weights of a trained network leaves.

For each task a network and what Lightning trains; for all of them losses, batches from the CSR matrix, and the training
itself, which is the only user of Lightning. Which settings are tried, and where results are kept, does not belong here.
"""
