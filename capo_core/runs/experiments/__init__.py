"""Experiments: all methods for all targets, as runs that wait for one another."""
