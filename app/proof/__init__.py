"""What proves that runs are the same: where two part and why, why a candle led to what it did, a run once more."""
