"""Pictures and pages of predictions, results, neighbors and clips."""
