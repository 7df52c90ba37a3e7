"use strict";
// The candle chart: the whole run in coarse candles, a month in full, and the way to a trade.

const WHOLE_RUN = "";
const AROUND = 40; // candles on each side of a trade

class CandleChart {
  constructor(element, trades) {
    this.element = element;
    this.trades = trades;
    this.unpacked = new Map();
    this.asked = 0;
    this.chart = makeChart(element);
    this.series = this.chart.addSeries(LightweightCharts.CandlestickSeries, { borderVisible: false, priceLineVisible: false });
    themed(this.series, () => ({ upColor: colour("good"), downColor: colour("bad"), wickUpColor: colour("good"), wickDownColor: colour("bad") }));
    this.volume = this.chart.addSeries(LightweightCharts.HistogramSeries, {
      priceScaleId: "volume", priceLineVisible: false, lastValueVisible: false, priceFormat: { type: "volume" },
    });
    themed(this.volume, () => ({ color: `${colour("soft")}55` }));
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.85, bottom: 0 } });
    this.marks = new TradeMarks();
    this.series.attachPrimitive(this.marks);
    this.controls = Object.fromEntries(
      ["symbol", "month", "earlier", "later", "previous-trade", "next-trade", "candle-note"].map((id) => [id, document.getElementById(id)]),
    );
    this.listen();
  }

  listen() {
    const { symbol, month, earlier, later } = this.controls;
    symbol.addEventListener("change", () => this.chooseSymbol(Number(symbol.value)));
    month.addEventListener("change", () => this.show(month.value));
    earlier.addEventListener("click", () => this.stepMonth(-1));
    later.addEventListener("click", () => this.stepMonth(1));
    this.controls["previous-trade"].addEventListener("click", () => this.stepTrade(-1));
    this.controls["next-trade"].addEventListener("click", () => this.stepTrade(1));
  }

  get own() {
    return page.symbols[Number(this.controls.symbol.value)];
  }

  get ownTrades() {
    return this.trades.filter((trade) => trade.symbol === this.own.name);
  }

  async chooseSymbol(number) {
    const { symbol, month } = this.controls;
    symbol.value = String(number);
    month.replaceChildren(new Option(`whole run, ${stepText(this.own.coarse.step_ms)} candles`, WHOLE_RUN));
    for (const part of this.own.months) month.append(new Option(part.whole ? part.month : `${part.month} (around trades)`, part.month));
    const only = page.month && this.own.months.find((part) => part.month === page.month);
    await this.show(only ? page.month : WHOLE_RUN);
  }

  async stepMonth(step) {
    const options = this.controls.month.options;
    const next = Math.min(Math.max(this.controls.month.selectedIndex + step, 0), options.length - 1);
    await this.show(options[next].value);
  }

  async stepTrade(step) {
    const own = this.ownTrades;
    const at = own.findIndex((trade) => trade.trade_id === this.marks.selected);
    const next = at < 0 ? (step > 0 ? 0 : own.length - 1) : at + step;
    if (own[next]) await this.goTo(own[next]);
  }

  async read(place) {
    if (!this.unpacked.has(place.chunk)) this.unpacked.set(place.chunk, await readCandles(place, this.own.digits));
    return this.unpacked.get(place.chunk);
  }

  // Months in a row as one series; false where a later choice has overtaken this one.
  async load(places) {
    const asked = (this.asked += 1);
    const parts = [];
    for (const place of places) parts.push(await this.read(place));
    if (asked !== this.asked) return false;
    const candles = parts.flat();
    const digits = this.own.digits;
    this.series.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
    this.marks.show([], []);
    this.series.setData(candles);
    this.volume.setData(candles.map((candle) => ({ time: candle.time, value: candle.volume })));
    this.marks.show(this.ownTrades, candles);
    this.candles = candles;
    return true;
  }

  async show(month) {
    const place = this.own.months.find((part) => part.month === month);
    this.marks.selected = null;
    this.controls.month.value = place ? month : WHOLE_RUN;
    if (!(await this.load([place ?? this.own.coarse]))) return;
    this.chart.timeScale().fitContent();
    this.series.priceScale().applyOptions({ autoScale: true });
    this.tell(place ?? this.own.coarse, place && !place.whole);
  }

  async goTo(trade) {
    const number = page.symbols.findIndex((symbol) => symbol.name === trade.symbol);
    if (number < 0) return;
    if (Number(this.controls.symbol.value) !== number) await this.chooseSymbol(number);
    const stepMs = this.own.months[0]?.step_ms ?? this.own.coarse.step_ms;
    const exitMs = trade.exit_ms ?? trade.entry_ms;
    const first = monthOf(trade.entry_ms - AROUND * stepMs);
    const last = monthOf(exitMs + AROUND * stepMs);
    const places = this.own.months.filter((part) => part.month >= first && part.month <= last);
    const isDetail = places.some((part) => part.month === monthOf(trade.entry_ms));
    this.controls.month.value = isDetail ? monthOf(trade.entry_ms) : WHOLE_RUN;
    this.marks.selected = trade.trade_id;
    if (!(await this.load(isDetail ? places : [this.own.coarse]))) return;
    const from = this.marks.indexOf(trade.entry_at_ms) - AROUND;
    const to = this.marks.indexOf(trade.exit_at_ms ?? exitMs) + AROUND;
    this.series.priceScale().applyOptions({ autoScale: true });
    this.chart.timeScale().setVisibleLogicalRange({ from, to });
    this.tell(isDetail ? places[0] : this.own.coarse, isDetail && places.some((part) => !part.whole), trade);
  }

  tell(place, isPart, trade) {
    const what = trade ? `trade ${trade.trade_id}, ` : "";
    const part = isPart ? ", those around trades" : "";
    this.controls["candle-note"].textContent = `${what}${this.candles.length.toLocaleString("en")} candles of ${stepText(place.step_ms)}${part}`;
    this.element.dataset.shown = String(this.candles.length);
    this.controls.earlier.disabled = this.controls.month.selectedIndex <= 0;
    this.controls.later.disabled = this.controls.month.selectedIndex >= this.controls.month.options.length - 1;
  }
}

function monthOf(ms) {
  return new Date(ms).toISOString().slice(0, 7);
}

function stepText(ms) {
  for (const [unit, length] of [["d", 86400000], ["h", 3600000], ["m", 60000]]) if (ms % length === 0) return `${ms / length}${unit}`;
  return `${ms / 1000}s`;
}
