"""The real stack in one process on a virtual clock: strategy, broker, desk and client over the testnet's engine."""
