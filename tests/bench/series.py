"""Which candles the bench replays: names and times only, so that the measuring process stays small."""

from app.times import parse_time_ms

SYMBOLS = tuple(f"{base}/USDT" for base in ("BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "AVAX", "LINK"))
MANY_SYMBOLS = tuple(f"C{number:03}/USDT" for number in range(200))
MONTH_SYMBOLS = tuple(f"M{number:02}/USDT" for number in range(50))
WARMUP_CANDLES = 240
YEAR_START_MS = parse_time_ms("2024-01-01")
