"""Modules between feature maps or targets and heads."""
