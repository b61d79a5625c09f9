"""Evaluation of imitations against their targets: scores with n, interval, floor and ceiling."""
