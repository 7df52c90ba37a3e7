"""Makes data/sample/ from the PyPI source distribution of gapless-crypto-data 2.5.0 (MIT).

    pip download --no-deps --no-binary :all: gapless-crypto-data==2.5.0
    python scripts/make_sample.py gapless_crypto_data-2.5.0.tar.gz

Takes its BTC/USDT 1h candles of Binance spot and stores them as the cache does. 43 candles whose times are off the
hour are left out; gaps stay gaps.
"""

import sys
import tarfile
import tempfile
from pathlib import Path

from app.candles.cache import CandleCache
from app.candles.importing import import_files
from app.times import iso_ms

SYMBOL, TIMEFRAME = "BTC/USDT", "1h"
TARGET = Path(__file__).resolve().parents[1] / "data" / "sample"


def main(archive: Path) -> None:
    """Import the candles and the licence of the package into data/sample/."""
    with tarfile.open(archive) as package, tempfile.TemporaryDirectory() as folder:
        names = [n for n in package.getnames() if "test_data_large" in n and "BTCUSDT" in n and n.endswith(".csv")]
        names = [n for n in names if "1h" in n]
        licence = next(n for n in package.getnames() if n.count("/") == 1 and n.endswith("LICENSE"))
        for name in (*names, licence):
            package.extract(name, folder, filter="data")
        files = [Path(folder) / name for name in names]
        checked = import_files(files, TIMEFRAME, drop_off_grid=True)
        (TARGET / "LICENSE.gapless-crypto-data.txt").write_bytes((Path(folder) / licence).read_bytes())
    report = CandleCache(TARGET).merge(SYMBOL, TIMEFRAME, checked.columns)
    first, last = checked.columns.open_time_ms[0], checked.columns.open_time_ms[-1]
    print(f"{report.new} candles from {iso_ms(int(first))} to {iso_ms(int(last))}")
    print(f"{len(checked.off_grid_ms)} off the hour left out")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
