"""Moving averages of networks, and queues of their features."""
