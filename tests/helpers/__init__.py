"""Small data, models, runs and servers that several tests use."""
