"""The example notebook, executed."""
