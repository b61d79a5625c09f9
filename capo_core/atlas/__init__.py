"""The annotator atlas: a dataset and its results as one file, and the map of its explanations."""
