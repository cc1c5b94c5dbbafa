"""Turning data sets as they are distributed into the folders that the configs read."""
