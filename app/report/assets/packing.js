"use strict";
// What the page carries, unpacked when it is needed: deflated text, and candles as columns of zigzag deltas.

const page = JSON.parse(document.getElementById("data").textContent);

async function inflate(elementId) {
  const packed = Uint8Array.from(atob(document.getElementById(elementId).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function readTrades() {
  const { symbols, columns } = JSON.parse(new TextDecoder().decode(await inflate("trade-chunk")));
  const names = Object.keys(columns);
  return columns.trade_id.map((_, row) => {
    const trade = {};
    for (const name of names) trade[name] = columns[name][row];
    trade.symbol = symbols[trade.symbol];
    return trade;
  });
}

// The layout is that of app/report/candle_chunks.py: six columns, each as four planes of bytes.
async function readCandles(place, digits) {
  const bytes = await inflate(`chunk-${place.chunk}`);
  const count = place.candles;
  const value = (column, row) => {
    const at = column * 4 * count + row;
    const zigzag = bytes[at] | (bytes[at + count] << 8) | (bytes[at + 2 * count] << 16) | (bytes[at + 3 * count] << 24);
    return (zigzag >>> 1) ^ -(zigzag & 1);
  };
  const unit = 10 ** digits;
  const [steps, offset] = page.volume;
  const candles = new Array(count);
  let time = place.first_ms;
  let close = 0;
  for (let row = 0; row < count; row += 1) {
    time += value(0, row) * place.step_ms;
    const open = close + value(1, row);
    close = open + value(2, row);
    const high = Math.max(open, close) + value(3, row);
    const low = Math.min(open, close) - value(4, row);
    const volume = value(5, row);
    candles[row] = {
      time: time / 1000, open: open / unit, high: high / unit, low: low / unit, close: close / unit,
      volume: volume === 0 ? 0 : Math.exp((volume - offset) / steps),
    };
  }
  return candles;
}
