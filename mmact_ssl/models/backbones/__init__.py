"""Students that mmaction2 does not have."""
