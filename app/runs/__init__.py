"""A run's folder: what writes it, what reads it, and the figures of a run."""
