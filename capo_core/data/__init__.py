"""Getting data in: importers, the catalog, splits, simulated annotators."""
