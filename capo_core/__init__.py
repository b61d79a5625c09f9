"""CAPO Lab's core library: human label variation as signal."""

__version__ = "0.2.0"
