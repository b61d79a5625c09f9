"""Versions of the studies' database; run by `study.store`, never by hand."""
