"""Labels for unlabeled clips and recordings: tables of labels, a classifier, and what it writes."""
