"""What can fill the queue: history replayed, the exchange's live candles, a tape."""
