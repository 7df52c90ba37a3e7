"use strict";
// Light or dark: the system's choice until the reader makes one. Charts are told, as a canvas knows no CSS.

const themeListeners = [];
const systemTheme = matchMedia("(prefers-color-scheme: dark)");

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  for (const listener of themeListeners) listener();
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

setTheme(systemTheme.matches ? "dark" : "light");
let chosen = false;
systemTheme.addEventListener("change", () => {
  if (!chosen) setTheme(systemTheme.matches ? "dark" : "light");
});
document.getElementById("theme").addEventListener("click", () => {
  chosen = true;
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
});
let themeBefore = "light";
addEventListener("beforeprint", () => {
  themeBefore = document.documentElement.dataset.theme;
  setTheme("light");
});
addEventListener("afterprint", () => setTheme(themeBefore));

function chartColours() {
  const rule = colour("rule");
  return {
    layout: { background: { color: colour("card") }, textColor: colour("soft"), attributionLogo: false, panes: { separatorColor: rule } },
    grid: { vertLines: { color: rule }, horzLines: { color: rule } },
    rightPriceScale: { borderColor: rule },
    timeScale: { borderColor: rule },
  };
}

function timeText(ms) {
  return ms === null ? "" : new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

function makeChart(element) {
  const chart = LightweightCharts.createChart(element, {
    ...chartColours(),
    autoSize: true,
    localization: { locale: "en-GB", timeFormatter: (time) => timeText(time * 1000) },
    timeScale: { borderColor: colour("rule"), timeVisible: true, secondsVisible: false, minBarSpacing: 0.01 },
    crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
    handleScroll: { vertTouchDrag: false, mouseWheel: false },
    handleScale: { mouseWheel: false },
  });
  // The wheel belongs to the page until the reader has clicked into the chart.
  const takeWheel = (taken) => () => chart.applyOptions({ handleScroll: { mouseWheel: taken }, handleScale: { mouseWheel: taken } });
  element.addEventListener("pointerdown", takeWheel(true));
  element.addEventListener("pointerleave", takeWheel(false));
  themeListeners.push(() => chart.applyOptions(chartColours()));
  return chart;
}
