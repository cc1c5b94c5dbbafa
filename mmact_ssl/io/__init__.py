"""Files: written whole, checkpoints read as data, weights loaded strictly, downloads, the zoo."""
