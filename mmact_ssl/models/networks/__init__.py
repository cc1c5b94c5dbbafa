"""Networks that heads are made of."""
