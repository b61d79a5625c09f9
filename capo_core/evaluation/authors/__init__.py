"""Attribution by likelihood as a representation of the ladder: the likeliest author of a text."""
