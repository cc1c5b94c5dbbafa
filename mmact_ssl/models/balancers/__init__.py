"""Balancers: one loss of the tasks' losses."""
