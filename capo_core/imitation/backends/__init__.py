"""Backends that generate text: a model on this machine, a server, or a fake for tests."""
