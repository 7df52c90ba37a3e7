"use strict";
// What a session's content says, as tiles and tables. Texts are other people's: they become text, never markup.

function element(kind, text, options = {}) {
  const made = document.createElement(kind);
  if (text !== undefined && text !== null) made.textContent = String(text);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  return made;
}

function money(value, signed = false) {
  if (value === null || value === undefined) return "–";
  const shown = Math.abs(value).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${value < 0 ? "−" : signed ? "+" : ""}${shown}`;
}

function price(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 8 });
}

function age(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

function tone(value) {
  return value > 0 ? "good" : value < 0 ? "bad" : "";
}

// A table of cells: a text, or [text, class], or an element.
function table(heads, rows, none, label) {
  if (!rows.length) return element("p", none, { class: "none" });
  const made = element("table", null, { "aria-label": label });
  const head = made.createTHead().insertRow();
  for (const name of heads) head.append(element("th", name, { scope: "col" }));
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    cells.forEach((cell, at) => {
      const place = element(at ? "td" : "th", null, at ? {} : { scope: "row" });
      if (cell instanceof Node) place.append(cell);
      else if (Array.isArray(cell)) Object.assign(place, { textContent: cell[0], className: cell[1] });
      else place.textContent = cell;
      row.append(place);
    });
  }
  const scroll = element("div", null, { class: "scroll" });
  scroll.append(made);
  return scroll;
}

// Only what changed is replaced, so that a reader's selection and a screen reader's place stay; so does the focus.
function fill(id, made) {
  const place = document.getElementById(id);
  const nodes = [made].flat();
  const key = nodes.map((node) => node.outerHTML).join("");
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  place.replaceChildren(...nodes);
  if (focused) [...place.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === focused)?.focus();
}

function tile(name, value, detail, kind = "") {
  const made = element("div", null, { class: "tile" });
  made.append(element("div", name, { class: "name" }), element("div", value, { class: `value ${kind}` }), element("div", detail ?? "", { class: "detail" }));
  return made;
}

function showTiles(content) {
  const { status } = content;
  const link = status.link;
  const drawdown = content.drawdown === null || content.drawdown === undefined ? "–" : `${(100 * content.drawdown).toFixed(2)} %`;
  const limit = content.limits?.max_drawdown;
  const unrealised = (status.positions ?? []).reduce((sum, one) => sum + one.unrealised, 0);
  fill("tiles", [
    tile("Last candle", age(content.candle_age_s), content.running ? `heartbeat ${age(content.age_s)} ago` : "the session does not run"),
    tile("Link", link ? (link.connected && content.running ? "up" : "DOWN") : "–",
      link ? `${Math.max(0, link.connections - 1)} reconnects, ${link.rest_faults} REST faults, lag ${link.lag_ms ?? "–"} ms` : "", link?.connected && content.running ? "good" : "bad"),
    tile("Equity", money(status.equity), `balance ${money(status.balance)}, peak ${money(status.peak)}`),
    tile("Today", money(content.day?.pnl, true), content.day ? `${content.day.pct?.toFixed(2)} % since 00:00 UTC` : "", tone(content.day?.pnl)),
    tile("Drawdown", drawdown, limit ? `of ${(100 * limit).toFixed(0)} % allowed` : "no limit"),
    tile("Open positions", String(status.positions?.length ?? "–"), `${money(unrealised, true)} unrealised, ${status.pending?.length ?? 0} entries wait`),
    ...(content.alerts ? [tile("Alerts", `${content.alerts.sent} sent`, `${content.alerts.waiting} wait, ${content.alerts.failed} given up`, content.alerts.failed ? "bad" : "")] : []),
  ]);
}

function showPositions(content) {
  const real = content.status.real_orders;
  const rows = (content.status.positions ?? []).map((one) => {
    const line = one.strategy === "main" ? one.symbol : `${one.strategy} ${one.symbol}`;
    const place = real?.stops?.[line];
    const where = element("span", real ? (place ? place.place : "not known") : "in this process (paper)");
    if (place && place.place !== "on the exchange") where.className = "stop-off";
    const closing = one.closing ? `being closed (${one.closing})` : null;
    return [
      line, one.side, price(one.quantity), price(one.entry), price(one.mark), [money(one.unrealised, true), tone(one.unrealised)],
      `${price(one.stop)}${one.moved_by ? ` (${one.moved_by})` : ""}`, price(one.target), where,
      ...(content.controls ? [closing ?? element("button", "Close", { type: "button", class: "danger", "aria-label": `Close the position ${line}`, "data-close": one.symbol, "data-strategy": one.strategy })] : []),
    ];
  });
  const heads = ["Position", "Side", "Quantity", "Entry", "Mark", "Unrealised", "Stop", "Target", "The stop rests", ...(content.controls ? [""] : [])];
  fill("positions", table(heads, rows, "no position is open", "Open positions"));
}

function showOrders(content) {
  const { status } = content;
  const real = status.real_orders;
  const made = [];
  const waiting = (status.orders ?? []).map((one) => [one.symbol, one.strategy, one.side, price(one.quantity), one.limit === null ? "market" : price(one.limit)]);
  made.push(table(["Entry", "Strategy", "Side", "Quantity", "Limit"], waiting, "no entry waits for its fill", "Entries that wait"));
  if (real) {
    const open = real.open.map((one) => [
      one.client_id, one.unknown ? ["UNKNOWN", "bad"] : one.kind, one.symbol, `${price(one.filled)} of ${price(one.quantity)}`,
      Object.entries(one.states).map(([leg, state]) => `${leg} ${state}`).join(", "),
    ]);
    made.push(element("h3", "At the exchange"));
    made.push(table(["Order", "Kind", "Symbol", "Filled", "States"], open, "no order is open at the exchange", "Orders at the exchange"));
    const checked = real.reconciled_s === null ? "not reconciled yet" : `reconciled ${age(real.reconciled_s)} ago`;
    const agree = real.differences.length ? `${real.differences.length} DIFFERENCES` : "account and ledger agree";
    made.push(element("p", `${checked}: ${agree}; user stream ${real.stream}; longest without a stop ${real.longest_gap_s} s`, { class: "note" }));
  }
  fill("orders", made);
}

function showFunnel(content) {
  const funnel = content.status.funnel;
  if (!funnel) return;
  const rows = [];
  const signals = Object.entries(funnel.signals).map(([action, count]) => `${action} ${count}`).join(", ");
  rows.push(["signals", String(Object.values(funnel.signals).reduce((sum, one) => sum + one, 0)), signals]);
  for (const [name, key] of [["ignored", "ignored"], ["refused by risk", "refused_by_risk"], ["refused by the gate", "refused_by_gate"]]) {
    const counts = Object.entries(funnel[key]);
    rows.push([name, String(counts.reduce((sum, [, count]) => sum + count, 0)), counts.map(([why, count]) => `${why} ${count}`).join(", ")]);
  }
  rows.push(["orders submitted", String(funnel.orders_submitted), ""]);
  const last = (content.refused ?? []).slice(-8).reverse().map((one) => [one.timestamp.replace("T", " ").slice(0, 16), one.symbol, one.action, one.outcome]);
  fill("funnel", [
    table(["Stage", "Count", "Of which"], rows, "", "Signal funnel"),
    ...limitsCost(content.limits_cost ?? []),
    element("h3", "Signals that became no order, the newest first"),
    table(["Time, UTC", "Symbol", "Signal", "Why not"], last, "every signal became an order", "Refused signals"),
  ]);
}

// What each limit cost or saved: its refused entries, each run alone.
function limitsCost(limits) {
  if (!limits.length) return [];
  const rows = limits.map((one) => [
    one.limit, String(one.entries), String(one.filled), String(one.winners), [money(one.pnl, true), tone(one.pnl)],
    one.filled ? (one.r / one.filled).toFixed(2) : "–", String(one.open), String(one.left_out),
  ]);
  const heads = ["Limit", "Entries", "Filled", "Won", "PnL", "A trade, in R", "Open", "Not run"];
  return [
    element("h3", "What the limits cost"), table(heads, rows, "", "What the limits cost"),
    element("p", "Each refused entry run alone through the paper fills. Above zero: the limit cost that much; below: it saved it. They would have shared the account.", { class: "note" }),
  ];
}

function showAlarms(content) {
  fill("alarms", (content.state ?? []).map(([kind, words]) => element("p", words, { class: kind === "alarm" ? "notice alarm" : "notice" })));
}

function showLimits(content) {
  const limits = content.limits ?? {};
  const words = [["max_drawdown", "drawdown"], ["max_daily_loss", "loss of a day"]]
    .map(([key, name]) => (limits[key] === null || limits[key] === undefined ? `no limit of the ${name}` : `${name} at most ${(100 * limits[key]).toFixed(1)} %`));
  document.getElementById("limits").textContent = words.join("; ");
}
