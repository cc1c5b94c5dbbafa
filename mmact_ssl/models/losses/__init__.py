"""Losses; each file has a pure function and the registered module around it."""
