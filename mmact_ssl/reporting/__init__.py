"""Results of evaluations: how they are kept, which ones a study needs, and their tables."""
