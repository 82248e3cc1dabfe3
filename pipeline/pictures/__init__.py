"""Pictures of embeddings, fits and comparisons: embeddings and tables enter, PNG files and projections leave.

What a picture shows is computed elsewhere, except the projection of D dimensions onto two or three.
"""
