"""Networks inside heads."""
