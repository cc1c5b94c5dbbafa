"""Losses: a pure function and the registered module around it, one a file."""
