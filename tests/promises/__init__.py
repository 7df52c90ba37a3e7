"""Each promise is broken once, and its check sees it."""
