"""Versions of the studies' database; run by `study.schema_version`, never by hand."""
