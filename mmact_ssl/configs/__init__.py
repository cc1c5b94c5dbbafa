"""Configs that come with the package: encoders and data sets by name."""
