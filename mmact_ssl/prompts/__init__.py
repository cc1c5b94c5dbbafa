"""Sentences about clips: their files, and sources that make them without reading a label."""
