"""The consumer of the queue, the order of the stages, and the digest of what was decided."""
