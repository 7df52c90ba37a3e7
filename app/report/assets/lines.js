"use strict";
// Equity with its drawdown in a pane under it, the rolling Sharpe ratio, and two equities in one chart.

function points(timesMs, values) {
  return timesMs.map((time, row) => ({ time: time / 1000, value: values[row] }));
}

function themed(series, options) {
  series.applyOptions(options());
  themeListeners.push(() => series.applyOptions(options()));
}

function drawEquity(element, content) {
  const chart = makeChart(element);
  const equity = chart.addSeries(LightweightCharts.AreaSeries, { lineWidth: 2, priceLineVisible: false, title: "equity" });
  themed(equity, () => ({ lineColor: colour("accent"), topColor: `${colour("accent")}44`, bottomColor: `${colour("accent")}08` }));
  equity.setData(points(content.times_ms, content.equity));
  if (page.starting_balance !== null) {
    const line = equity.createPriceLine({ price: page.starting_balance, lineStyle: LightweightCharts.LineStyle.Dashed, title: "start" });
    themed(line, () => ({ color: colour("soft") }));
  }
  const drawdown = chart.addSeries(LightweightCharts.BaselineSeries, {
    baseValue: { type: "price", price: 0 }, lineWidth: 1, priceLineVisible: false, title: "drawdown %",
    priceFormat: { type: "custom", formatter: (value) => `${value.toFixed(1)} %`, minMove: 0.01 },
  }, 1);
  themed(drawdown, () => ({
    bottomLineColor: colour("bad"), bottomFillColor1: `${colour("bad")}14`, bottomFillColor2: `${colour("bad")}55`,
    topLineColor: colour("bad"),
  }));
  drawdown.setData(points(content.times_ms, content.drawdown_pct));
  chart.panes()[0].setStretchFactor(0.68);
  chart.panes()[1].setStretchFactor(0.32);
  if (page.halt_ms) markHalt(equity, content.times_ms);
  chart.timeScale().fitContent();
  return chart;
}

function markHalt(series, timesMs) {
  const at = timesMs.find((time) => time >= page.halt_ms) ?? timesMs[timesMs.length - 1];
  const marks = () => [{ time: at / 1000, position: "aboveBar", shape: "arrowDown", color: colour("bad"), text: "kill switch" }];
  const markers = LightweightCharts.createSeriesMarkers(series, marks());
  themeListeners.push(() => markers.setMarkers(marks()));
}

function drawSharpe(element, content) {
  const chart = makeChart(element);
  const series = chart.addSeries(LightweightCharts.BaselineSeries, {
    baseValue: { type: "price", price: 0 }, lineWidth: 2, priceLineVisible: false, title: "Sharpe",
  });
  themed(series, () => ({
    topLineColor: colour("good"), topFillColor1: `${colour("good")}33`, topFillColor2: `${colour("good")}05`,
    bottomLineColor: colour("bad"), bottomFillColor1: `${colour("bad")}05`, bottomFillColor2: `${colour("bad")}33`,
  }));
  series.setData(points(content.times_ms, content.values));
  chart.timeScale().fitContent();
  return chart;
}

// A colour of its own for each of the first eight strategies; after them the colours come again, dashed.
const STRATEGY_COLOURS = 8;

function drawStrategies(element, keys, content) {
  const chart = makeChart(element);
  content.names.forEach((name, place) => {
    const tint = `line-${place % STRATEGY_COLOURS}`;
    const lineStyle = place < STRATEGY_COLOURS ? LightweightCharts.LineStyle.Solid : LightweightCharts.LineStyle.Dashed;
    const series = chart.addSeries(LightweightCharts.LineSeries, { lineWidth: 2, lineStyle, priceLineVisible: false });
    themed(series, () => ({ color: colour(tint) }));
    series.setData(points(content.times_ms, content.values[place]));
    const key = document.createElement("span");
    key.className = "key";
    key.style.color = `var(--${tint})`;
    key.textContent = `${place < STRATEGY_COLOURS ? "━" : "┅"} ${name}`;
    keys.append(key);
  });
  chart.timeScale().fitContent();
  return chart;
}

function drawTwo(element, both) {
  const chart = makeChart(element);
  for (const [name, tint] of [["a", "accent"], ["b", "stop"]]) {
    if (!both[name]) continue;
    const series = chart.addSeries(LightweightCharts.LineSeries, { lineWidth: 2, priceLineVisible: false, title: name.toUpperCase() });
    themed(series, () => ({ color: colour(tint) }));
    series.setData(points(both[name].times_ms, both[name].equity));
  }
  chart.timeScale().fitContent();
  return chart;
}
