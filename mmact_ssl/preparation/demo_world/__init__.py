"""A procedural world of acting people: synthetic video with exact truth, for demos and tests."""
