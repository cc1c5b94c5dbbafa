"""Balancers, which combine the tasks' losses into one."""
