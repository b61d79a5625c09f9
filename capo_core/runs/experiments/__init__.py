"""Experiments: all methods for all targets, as runs that depend on one another."""
