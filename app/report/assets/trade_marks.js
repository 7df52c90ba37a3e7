"use strict";
// Entries, exits, stops and targets over the candles, drawn on the chart's own canvas: a primitive of its series.
// What is far apart is drawn in full; where trades crowd, only the line from entry to exit.

const CROWD = 120;

class TradeMarks {
  constructor() {
    this.trades = [];
    this.times = [];
    this.selected = null;
    this.isLive = false; // then fills stand at their moment, not at their candle
  }

  attached({ chart, series, requestUpdate }) {
    Object.assign(this, { chart, series, requestUpdate });
  }

  show(trades, candles) {
    this.trades = trades;
    this.times = candles.map((candle) => candle.time * 1000);
    this.stepMs = this.times.reduce((least, ms, at) => (at ? Math.min(least, ms - this.times[at - 1]) : least), Infinity);
    this.redraw();
  }

  redraw() {
    if (this.requestUpdate) this.requestUpdate();
  }

  // Where a time lies on an axis that counts candles: at the one that is open then.
  indexOf(ms) {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= ms) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // On the canvas: the middle of that candle; of real orders the moment inside it.
  xOf(ms) {
    const scale = this.chart.timeScale();
    const index = this.indexOf(ms);
    const middle = scale.logicalToCoordinate(index);
    const next = scale.logicalToCoordinate(index + 1);
    if (!this.isLive || index < 0 || middle === null || next === null) return middle;
    const share = Math.min(1, (ms - this.times[index]) / this.stepMs);
    return middle + (share - 0.5) * (next - middle);
  }

  visible() {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!range || !this.times.length) return [];
    const last = this.times[this.times.length - 1];
    const from = this.times[Math.max(0, Math.floor(range.from))] ?? last;
    const until = this.times[Math.min(this.times.length - 1, Math.ceil(range.to))] ?? last;
    return this.trades.filter((trade) => trade.entry_ms <= until && (trade.exit_ms ?? last) >= from && trade.entry_ms <= last + 1);
  }

  // The price scale makes room for the stop and the target of the trade that was chosen.
  autoscaleInfo() {
    const trade = this.trades.find((one) => one.trade_id === this.selected);
    if (!trade) return null;
    const steps = (trade.stops ?? []).map(([, price]) => price);
    const prices = [trade.entry_price, trade.exit_price, trade.stop, trade.target, ...steps].filter((price) => price !== null);
    return { priceRange: { minValue: Math.min(...prices), maxValue: Math.max(...prices) } };
  }

  paneViews() {
    return [{ zOrder: () => "top", renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace((scope) => this.draw(scope.context)) }) }];
  }

  draw(context) {
    const shown = this.visible();
    const inFull = shown.length <= CROWD;
    const tint = { good: colour("good"), bad: colour("bad"), stop: colour("stop"), target: colour("target"), ink: colour("ink"), soft: colour("soft") };
    for (const trade of shown) {
      const exitMs = trade.exit_at_ms ?? this.times[this.times.length - 1];
      const from = this.xOf(trade.entry_at_ms);
      const to = this.xOf(exitMs);
      const entry = this.series.priceToCoordinate(trade.entry_price);
      const exit = trade.exit_price === null ? entry : this.series.priceToCoordinate(trade.exit_price);
      if (from === null || to === null || entry === null || exit === null) continue;
      const result = trade.pnl === null ? tint.soft : trade.pnl > 0 ? tint.good : tint.bad;
      const isChosen = trade.trade_id === this.selected;
      stroke(context, result, isChosen ? 3 : 1.5, [], from, entry, to, exit);
      if (!inFull && !isChosen) continue;
      for (const [level, steps] of [["stop", trade.stops ?? []], ["target", []]]) {
        if (trade[level] !== null) this.level(context, tint[level], isChosen ? 2 : 1, [[trade.entry_at_ms, trade[level]], ...steps], Math.max(to, from + 4));
      }
      triangle(context, tint.ink, from, entry, trade.side);
      for (const [ms, price, pnl] of trade.legs ?? []) {
        const x = this.xOf(ms);
        const y = this.series.priceToCoordinate(price);
        if (x !== null && y !== null) diamond(context, pnl > 0 ? tint.good : tint.bad, tint.ink, x, y);
      }
      if (trade.exit_ms !== null) dot(context, result, to, exit);
    }
  }

  // Steps of [ms, price], each until the next one, the last one until `end`.
  level(context, style, width, steps, end) {
    const places = steps.map(([ms, price]) => [this.xOf(ms), this.series.priceToCoordinate(price)]);
    places.forEach(([x, y], step) => {
      const [nextX, nextY] = places[step + 1] ?? [end, null];
      if (x === null || y === null || nextX === null) return;
      stroke(context, style, width, [4, 3], x, y, nextX, y);
      if (nextY !== null) stroke(context, style, width, [4, 3], nextX, y, nextX, nextY);
    });
  }
}

function stroke(context, style, width, dashes, x1, y1, x2, y2) {
  context.strokeStyle = style;
  context.lineWidth = width;
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.setLineDash([]);
}

// Its edge tells it from a candle of the same colour.
function diamond(context, style, edge, x, y) {
  context.fillStyle = style;
  context.strokeStyle = edge;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, y - 5);
  context.lineTo(x + 5, y);
  context.lineTo(x, y + 5);
  context.lineTo(x - 5, y);
  context.closePath();
  context.fill();
  context.stroke();
}

function triangle(context, style, x, y, side) {
  context.fillStyle = style;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x - 5, y + 9 * side);
  context.lineTo(x + 5, y + 9 * side);
  context.fill();
}

function dot(context, style, x, y) {
  context.fillStyle = style;
  context.beginPath();
  context.arc(x, y, 3.5, 0, 2 * Math.PI);
  context.fill();
}
