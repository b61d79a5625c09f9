"""Leaderboards of the field: published boards, their scoring rules, and our rows beside them."""
