"use strict";
// Puts the page together: lines first, then candles, then the list of trades.

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => {
    for (const other of button.parentElement.querySelectorAll("[data-show]")) {
      other.ariaPressed = String(other === button);
      document.getElementById(other.dataset.show).hidden = other !== button;
    }
  });
}

async function start() {
  const element = (id) => document.getElementById(id);
  if (page.equity && element("equity")) drawEquity(element("equity"), page.equity);
  if (page.sharpe && element("sharpe")) drawSharpe(element("sharpe"), page.sharpe);
  if (page.strategies && element("strategies")) drawStrategies(element("strategies"), element("strategy-keys"), page.strategies);
  const trades = await readTrades();
  let candles = null;
  if (element("candles")) {
    candles = new CandleChart(element("candles"), trades);
    candles.marks.isLive = page.live === true;
    await candles.chooseSymbol(0);
    themeListeners.push(() => candles.marks.redraw());
    const hasTrades = trades.length > 0;
    for (const id of ["previous-trade", "next-trade"]) element(id).disabled = !hasTrades;
  }
  if (element("trades")) {
    new TradeList(element("trades"), trades, (trade) => {
      if (!candles) return;
      element("candles").scrollIntoView({ block: "center" });
      candles.goTo(trade);
    });
  }
  document.documentElement.dataset.ready = "yes";
}

start();
