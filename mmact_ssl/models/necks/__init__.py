"""From feature maps and targets to what heads read."""
