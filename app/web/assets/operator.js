"use strict";
// Listens to the server, shows what it says, and sends commands. What is shown is never older than it looks.

const own = location.pathname.match(/^\/s\/([^/]+)\/$/);
const base = own ? `/s/${own[1]}/` : null;
const sessionName = own ? decodeURIComponent(own[1]) : null;
let shown = null;
let heardMs = 0;
let candles = null;
let equity = null;
let expected = null;
let sliceMs = null;
let trades = [];

const WHAT = {
  halt: "No entry any more until it is resumed. Positions and their stops stay.",
  resume: "Entries are allowed again. The peak becomes the equity of that moment.",
  stop: "The session ends as with Ctrl-C: positions are closed, or kept where on_stop is keep.",
  close: "is closed at the market, as by the strategy's own exit. The session goes on, and the strategy may enter again with its next signal: halt first if it shall not.",
  kill: "Entries are cancelled and every position is closed. No entry until it is resumed.",
};

async function ask(path) {
  const answer = await fetch(base + path, { credentials: "same-origin" });
  if (answer.status === 401) location.href = "/login";
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function listen() {
  const source = new EventSource(base ? `${base}events` : "/events");
  source.onmessage = (message) => {
    heardMs = Date.now();
    tellConnection();
    const said = JSON.parse(message.data);
    document.getElementById("mode").hidden = !base;
    if (base) showSession(said);
    else showSessions(said);
    document.documentElement.dataset.ready = "yes";
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    tellConnection();
  };
}

// The server says something every 15 s at least.
function tellConnection() {
  const place = document.getElementById("connection");
  const seconds = (Date.now() - heardMs) / 1000;
  const isLost = heardMs > 0 && seconds > 20;
  place.className = isLost ? "lost" : "";
  place.textContent = isLost ? `this page has not heard of its server for ${age(seconds)}: what you see is that old` : "";
  document.body.classList.toggle("lost", isLost);
}

function showSessions(sessions) {
  document.getElementById("sessions").hidden = false;
  const place = document.querySelector("#sessions .cards");
  const cards = sessions.map((one) => {
    const card = element("a", null, { class: "card", href: `/s/${encodeURIComponent(one.name)}/` });
    const head = element("h3");
    head.append(modeBadge(one), ` ${one.name}`);
    const alarms = (one.state ?? []).map(([kind, words]) => element("p", words, { class: kind }));
    card.append(
      head, element("p", one.running ? `running, last candle ${age(one.candle_age_s)} ago` : "does not run"),
      element("p", `equity ${money(one.equity)}, today ${money(one.day?.pnl, true)}, ${one.positions} open`), ...alarms,
    );
    return card;
  });
  place.replaceChildren(...(cards.length ? cards : [element("p", "no session has been started yet", { class: "none" })]));
}

function modeBadge(one) {
  const isLive = one.mode === "live";
  return element("span", isLive ? "LIVE · real orders" : "PAPER", { class: `mode ${isLive ? "live" : ""}` });
}

function showSession(said) {
  shown = said;
  const { status } = said;
  document.getElementById("session").hidden = false;
  document.title = `${said.mode === "live" ? "LIVE" : "PAPER"} ${said.name} · Onetape`;
  document.getElementById("title").textContent = said.name;
  document.getElementById("mode").replaceWith(Object.assign(modeBadge(said), { id: "mode" }));
  document.getElementById("about").textContent = `${said.exchange} ${(status.symbols ?? []).join(", ")} ${status.timeframe ?? ""}, epoch ${status.epoch ?? "–"}`;
  document.getElementById("controls").hidden = !said.controls;
  for (const show of [showAlarms, showTiles, showPositions, showOrders, showFunnel, showLimits]) show(said);
  const symbol = document.getElementById("symbol");
  for (const one of status.symbols ?? []) if (![...symbol.options].some((option) => option.value === one)) symbol.append(new Option(one, one));
  if (status.last_slice_ms !== sliceMs || said.closed !== trades.closed) {
    sliceMs = status.last_slice_ms;
    trades.closed = said.closed;
    showSlower();
  }
}

// With each candle: charts, closed trades and the log.
async function showSlower() {
  try {
    const symbol = document.getElementById("symbol").value;
    if (symbol && candles.beforeMs === null) await candles.show(symbol, null, shown.status.positions ?? []);
    equity.show(await ask("equity"));
    expected.show(await ask("expectation"));
    const newest = await ask(`trades?count=${Math.max(20, Math.min(200, trades.length))}`);
    trades = Object.assign(newest.trades, { closed: shown.closed });
    showTrades(newest.more);
    showLog(await ask("log?count=100"));
  } catch (error) {
    document.getElementById("candle-note").textContent = `not up to date: ${error.message}`;
  }
}

function showTrades(hasMore) {
  const rows = trades.map((one) => {
    const button = element("button", "why?", { type: "button", "aria-label": `why trade ${one.trade_id}`, "data-trade": one.trade_id });
    return [
      String(one.trade_id), one.symbol, one.side, one.entry_time.replace("T", " ").slice(0, 19), one.exit_time.replace("T", " ").slice(0, 19),
      price(one.entry_price), price(one.exit_price), one.reason, [money(one.pnl, true), tone(one.pnl)], button,
    ];
  });
  const heads = ["Trade", "Symbol", "Side", "Entry, UTC", "Exit, UTC", "Entry price", "Exit price", "Reason", "PnL", ""];
  fill("closed", table(heads, rows, "no trade has been closed yet", "Closed trades, the newest first"));
  document.getElementById("more-trades").hidden = !hasMore;
}

function showLog(rows) {
  const lines = rows.slice().reverse().map((one) => [one.time.replace("T", " ").slice(0, 19), one.kind, one.text]);
  fill("log", table(["Time, UTC", "What", "Words"], lines, "nothing worth a line has happened yet", "Log, the newest first"));
}

async function showWhy(number) {
  const dialog = document.getElementById("why");
  const text = document.getElementById("why-text");
  document.getElementById("why-head").textContent = `Why trade ${number}?`;
  text.textContent = "the tape is replayed up to its entry …";
  dialog.showModal();
  try {
    text.textContent = (await ask(`why?trade=${number}`)).join("\n");
  } catch (error) {
    text.textContent = error.message;
  }
}

// `of`: the symbol and strategy of the position that a close is of.
function confirmCommand(command, of = {}) {
  const dialog = document.getElementById("confirm");
  const why = document.getElementById("confirm-why");
  const typed = document.getElementById("confirm-name");
  const yes = document.getElementById("confirm-yes");
  const line = !of.symbol ? "" : of.strategy === "main" ? of.symbol : `${of.strategy} ${of.symbol}`;
  document.getElementById("confirm-head").textContent = line ? `close ${line} of ${sessionName}` : `${command} ${sessionName}`;
  document.getElementById("confirm-what").textContent = line ? `The position ${line} ${WHAT.close}` : WHAT[command];
  document.querySelector('label[for="confirm-name"]').textContent = `Type the session's name, ${sessionName}`;
  why.value = "";
  typed.value = "";
  yes.textContent = command;
  const check = () => (yes.disabled = typed.value !== sessionName || !why.value.trim());
  check();
  why.oninput = typed.oninput = check;
  dialog.onclose = () => {
    if (dialog.returnValue === "yes") send({ command, why: why.value, confirm: typed.value, ...of });
    dialog.returnValue = "";
  };
  dialog.showModal();
  why.focus();
}

async function send(asked) {
  const said = document.getElementById("said");
  try {
    const answer = await fetch(`${base}control`, {
      method: "POST", headers: { "Content-Type": "application/json", "X-Onetape": "1" }, body: JSON.stringify(asked),
    });
    const told = await answer.json();
    said.textContent = told.said ?? told.problem;
  } catch (error) {
    said.textContent = `not sent: ${error.message}`;
  }
}

if (base) {
  candles = new LiveCandles(document.getElementById("candles"), ask);
  equity = new LiveEquity(document.getElementById("equity"));
  expected = new ExpectedBand(document.getElementById("expected"));
  const choose = (beforeMs) => {
    document.getElementById("newest").disabled = beforeMs === null;
    candles.show(document.getElementById("symbol").value, beforeMs, shown?.status.positions ?? []).catch(() => {});
  };
  document.getElementById("symbol").addEventListener("change", () => choose(null));
  document.getElementById("earlier").addEventListener("click", () => candles.rows.length && choose(candles.rows[0][0]));
  document.getElementById("newest").addEventListener("click", () => choose(null));
  document.getElementById("indicators").addEventListener("click", () => candles.showIndicators());
  document.getElementById("more-trades").addEventListener("click", async () => {
    const more = await ask(`trades?before=${trades[trades.length - 1].trade_id}&count=50`);
    trades = Object.assign([...trades, ...more.trades], { closed: trades.closed });
    showTrades(more.more);
  });
  const settings = document.getElementById("settings");
  settings.addEventListener("toggle", async () => {
    if (settings.open) settings.querySelector("pre").textContent = JSON.stringify(await ask("settings"), null, 2);
  });
  document.getElementById("closed").addEventListener("click", (event) => {
    if (event.target.dataset.trade) showWhy(event.target.dataset.trade);
  });
  for (const button of document.querySelectorAll("[data-command]")) button.addEventListener("click", () => confirmCommand(button.dataset.command));
  document.getElementById("positions").addEventListener("click", (event) => {
    const { close: symbol, strategy } = event.target.dataset;
    if (symbol) confirmCommand("close", { symbol, strategy });
  });
  document.getElementById("confirm-no").addEventListener("click", () => document.getElementById("confirm").close(""));
}
setInterval(tellConnection, 5000);
listen();
