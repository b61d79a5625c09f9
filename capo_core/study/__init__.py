"""Blind studies: people who cannot see the source attribute and compare texts."""
