"""Pictures for people who would rather look than read: embeddings and tables enter, PNG files and projections leave.

What a picture shows is computed elsewhere, but for the projection of D dimensions onto two or three.
"""
