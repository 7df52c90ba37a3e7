"""Search, walk-forward, Monte Carlo and checks of strategies, every number from the one runtime."""
