"""The learned embedding: a `Problem` enters, a `Fitted` with the weights of a trained network leaves.

Each task has a network and a module that Lightning trains. They share the losses, the batches from the CSR matrix and
the training itself. No other package uses Lightning. Which settings are tried, and where results are stored, does not
belong here.
"""
