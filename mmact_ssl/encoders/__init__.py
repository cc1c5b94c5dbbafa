"""Encoders: from the name of a student to features of files."""
