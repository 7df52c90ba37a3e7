"use strict";
// The candles of one symbol with its trades, the equity, and the band it should stay in: bounded, however long the page is open.

const SHOWN = 400;

class LiveCandles {
  constructor(place, ask) {
    this.ask = ask;
    this.chart = makeChart(place);
    this.series = this.chart.addSeries(LightweightCharts.CandlestickSeries, { borderVisible: false, priceLineVisible: false });
    themed(this.series, () => ({ upColor: colour("good"), downColor: colour("bad"), wickUpColor: colour("good"), wickDownColor: colour("bad") }));
    this.marks = new TradeMarks();
    this.series.attachPrimitive(this.marks);
    this.symbol = null;
    this.beforeMs = null;
    this.rows = [];
    this.indicators = [];
  }

  async show(symbol, beforeMs, positions) {
    const isNew = symbol !== this.symbol || beforeMs !== this.beforeMs;
    if (symbol !== this.symbol) this.hideIndicators();
    this.symbol = symbol;
    this.beforeMs = beforeMs;
    const before = beforeMs === null ? "" : `&before_ms=${beforeMs}`;
    const found = await this.ask(`candles?symbol=${encodeURIComponent(symbol)}&count=${SHOWN}${before}`);
    if (this.symbol !== symbol || this.beforeMs !== beforeMs) return;
    this.rows = found.candles;
    const candles = found.candles.map(([ms, open, high, low, close]) => ({ time: ms / 1000, open, high, low, close }));
    this.series.setData(candles);
    this.marks.show(found.trades.map((trade) => this.mark(trade, positions)), candles);
    if (isNew) this.chart.timeScale().fitContent();
    const note = candles.length ? `${candles.length} candles, the last of ${new Date(candles[candles.length - 1].time * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC` : "no candle yet";
    document.getElementById("candle-note").textContent = note;
    document.getElementById("candles").dataset.shown = String(candles.length);
  }

  // As they are up to now: a process of their own replays the tape, so they are asked for and not followed.
  async showIndicators() {
    const { symbol } = this;
    const note = document.getElementById("indicator-note");
    if (!symbol) return;
    note.textContent = "indicators: the tape is replayed …";
    let told;
    try {
      told = await this.ask(`indicators?symbol=${encodeURIComponent(symbol)}&count=${SHOWN}`);
    } catch (error) {
      told = { lines: [], problem: error.message };
    }
    if (symbol !== this.symbol) return;
    this.hideIndicators();
    const tints = ["accent", "stop", "good", "soft", "bad", "target"];
    const said = [];
    for (const { strategy, times_ms: timesMs, values } of told.lines) {
      for (const [name, own] of Object.entries(values)) {
        const points = timesMs.map((ms, at) => ({ time: ms / 1000, value: own[at] })).filter((one) => one.value !== null);
        if (!points.length) continue;
        const tint = tints[said.length % tints.length];
        const label = told.lines.length > 1 ? `${strategy} ${name}` : name;
        const line = this.chart.addSeries(LightweightCharts.LineSeries, {
          lineWidth: 1, priceLineVisible: false, title: label, crosshairMarkerVisible: false,
        }, this.isPrice(points) ? 0 : 1 + said.filter((one) => !one.isPrice).length);
        themed(line, () => ({ color: colour(tint) }));
        line.setData(points);
        this.indicators.push(line);
        said.push({ label, isPrice: this.isPrice(points), last: points[points.length - 1].value });
      }
    }
    note.textContent = told.problem ?? (said.map(({ label, last }) => `${label} ${price(last)}`).join(", ") || "its strategies say no indicators");
    document.getElementById("candles").dataset.indicators = String(said.length);
  }

  hideIndicators() {
    for (const line of this.indicators) this.chart.removeSeries(line);
    this.indicators = [];
    document.getElementById("indicator-note").textContent = "";
  }

  // Whether values lie where the prices are: these are drawn among the candles, others below them.
  isPrice(points) {
    const last = this.rows[this.rows.length - 1];
    const value = points[points.length - 1].value;
    return last !== undefined && value > last[4] / 2 && value < last[4] * 2;
  }

  // A trade as the report's marks draw it; an open one with its target as it is now.
  mark(trade, positions) {
    const entryMs = Date.parse(trade.entry_time);
    const exitMs = trade.exit_time ? Date.parse(trade.exit_time) : null;
    const held = exitMs === null ? positions.find((one) => one.symbol === trade.symbol && one.strategy === trade.strategy) : null;
    return {
      ...trade, side: trade.side === "LONG" ? 1 : -1, entry_ms: entryMs, entry_at_ms: entryMs, exit_ms: exitMs, exit_at_ms: exitMs,
      target: held ? held.target : trade.target, pnl: exitMs === null ? null : trade.pnl,
    };
  }
}

class LiveEquity {
  constructor(place) {
    this.chart = makeChart(place);
    this.series = this.chart.addSeries(LightweightCharts.AreaSeries, { lineWidth: 2, priceLineVisible: false, title: "equity" });
    themed(this.series, () => ({ lineColor: colour("accent"), topColor: `${colour("accent")}44`, bottomColor: `${colour("accent")}08` }));
    this.drawdown = this.chart.addSeries(LightweightCharts.BaselineSeries, {
      baseValue: { type: "price", price: 0 }, lineWidth: 1, priceLineVisible: false, title: "drawdown %",
      priceFormat: { type: "custom", formatter: (value) => `${value.toFixed(2)} %`, minMove: 0.001 },
    }, 1);
    themed(this.drawdown, () => ({ bottomLineColor: colour("bad"), bottomFillColor1: `${colour("bad")}14`, bottomFillColor2: `${colour("bad")}55`, topLineColor: colour("bad") }));
  }

  show(points) {
    let peak = -Infinity;
    let last = -1;
    const equity = [];
    const under = [];
    for (const [ms, value] of points) {
      const time = Math.floor(ms / 1000);
      if (time <= last) continue;
      last = time;
      peak = Math.max(peak, value);
      equity.push({ time, value });
      under.push({ time, value: peak > 0 ? 100 * (value / peak - 1) : 0 });
    }
    this.series.setData(equity);
    this.drawdown.setData(under);
    this.chart.timeScale().fitContent();
    document.getElementById("equity").dataset.shown = String(equity.length);
  }
}

// Growth since the start in percent, a point a UTC midnight.
class ExpectedBand {
  constructor(place) {
    this.place = place;
    this.chart = null;
  }

  show(band) {
    document.getElementById("expected-section").hidden = band === null;
    if (band === null) return;
    if (this.chart === null) this.draw();
    const dayS = 86400;
    const firstDay = Math.floor(Date.parse(band.start) / 1000 / dayS);
    const points = (growth) => growth.map((value, day) => ({ time: (firstDay + day) * dayS, value: 100 * (value - 1) }));
    for (const [name, series] of Object.entries(this.series)) series.setData(points(band[name]));
    this.chart.timeScale().fitContent();
    const trials = `${band.backtest}, the best of ${band.trials} trial${band.trials === 1 ? "" : "s"}`;
    document.getElementById("expected-note").textContent = `${band.why} · by ${trials}`;
    this.place.dataset.shown = String(band.live.length);
  }

  draw() {
    this.chart = makeChart(this.place);
    const dashed = LightweightCharts.LineStyle.Dashed;
    const kinds = { floor: ["bad", 1, dashed], ceiling: ["bad", 1, dashed], low: ["good", 1, dashed], high: ["good", 1, dashed], mid: ["soft", 1, dashed], live: ["accent", 3, 0] };
    this.series = {};
    for (const [name, [tint, lineWidth, lineStyle]] of Object.entries(kinds)) {
      this.series[name] = this.chart.addSeries(LightweightCharts.LineSeries, {
        lineWidth, lineStyle, priceLineVisible: false, lastValueVisible: name === "live", crosshairMarkerVisible: name === "live",
        priceFormat: { type: "custom", formatter: (value) => `${value.toFixed(2)} %`, minMove: 0.001 },
      });
      themed(this.series[name], () => ({ color: colour(tint) }));
    }
  }
}
