"""Identifiability and stability of annotators' styles."""
