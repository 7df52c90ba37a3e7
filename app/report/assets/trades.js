"use strict";
// The trade list: sorted and filtered in memory; only the rows in sight are in the document, so it stays fast.

const ROW_HEIGHT = 28;
const PRINTED = 2000;
const number = (digits) => {
  const format = new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (value) => (value === null ? "" : format.format(value));
};
const exact = new Intl.NumberFormat("en", { maximumSignificantDigits: 8 });
const price = (value) => (value === null ? "" : exact.format(value));
const COLUMNS = [
  { name: "trade_id", label: "#", show: String },
  { name: "symbol", label: "symbol", show: String, isText: true },
  { name: "side", label: "side", show: (side) => (side > 0 ? "long" : "short"), isText: true },
  { name: "entry_ms", label: "entry (UTC)", show: timeText },
  { name: "exit_ms", label: "exit (UTC)", show: timeText },
  { name: "entry_price", label: "entry", show: price },
  { name: "exit_price", label: "exit", show: price },
  { name: "quantity", label: "quantity", show: price },
  { name: "pnl", label: "PnL", show: number(2), isSigned: true },
  { name: "r", label: "R", show: number(2), isSigned: true },
  { name: "mae", label: "MAE", show: number(2) },
  { name: "mfe", label: "MFE", show: number(2) },
  { name: "reason", label: "reason", show: String, isText: true },
  { name: "tag", label: "tag", show: String, isText: true },
];

const STRATEGY = { name: "strategy", label: "strategy", show: String, isText: true };

class TradeList {
  constructor(element, trades, choose) {
    Object.assign(this, { element, trades, choose, sorted: { name: "trade_id", rising: true } });
    this.controls = Object.fromEntries(["symbol", "strategy", "side", "reason", "text"].map((id) => [id, document.getElementById(`f-${id}`)]).filter(([, control]) => control));
    this.count = document.getElementById("trade-count");
    if (trades[0]?.strategy !== undefined && !COLUMNS.includes(STRATEGY)) COLUMNS.splice(2, 0, STRATEGY);
    this.build();
    this.offer("symbol");
    if (this.controls.strategy) this.offer("strategy");
    this.offer("reason");
    for (const control of Object.values(this.controls)) control.addEventListener("input", () => this.update());
    element.addEventListener("scroll", () => this.draw());
    element.addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("beforeprint", () => this.draw(PRINTED));
    addEventListener("afterprint", () => this.draw());
    this.update();
  }

  build() {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const column of COLUMNS) {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = column.label;
      button.dataset.sort = column.name;
      button.addEventListener("click", () => this.sort(column.name));
      cell.scope = "col";
      cell.className = column.isText ? "text" : "";
      cell.append(button);
      head.append(cell);
    }
    this.head = head;
    this.body = table.createTBody();
    this.body.addEventListener("click", (event) => this.pick(Number(event.target.closest("tr")?.dataset.row ?? -1)));
    this.element.append(table);
  }

  offer(name) {
    for (const value of [...new Set(this.trades.map((trade) => trade[name]))].filter(Boolean).sort()) this.controls[name].append(new Option(value, value));
  }

  sort(name) {
    this.sorted = { name, rising: this.sorted.name === name ? !this.sorted.rising : true };
    this.update();
  }

  update() {
    const { symbol, strategy, side, reason, text } = this.controls;
    const words = text.value.trim().toLowerCase();
    const rows = this.trades.filter(
      (trade) =>
        (!symbol.value || trade.symbol === symbol.value) &&
        (!strategy?.value || trade.strategy === strategy.value) &&
        (!side.value || String(trade.side) === side.value) &&
        (!reason.value || trade.reason === reason.value) &&
        (!words || rowText(trade).includes(words)),
    );
    const { name, rising } = this.sorted;
    const sign = rising ? 1 : -1;
    const order = (a, b) => (a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -sign : sign); // what is not there comes last
    rows.sort((a, b) => order(a[name], b[name]) || a.trade_id - b.trade_id);
    this.rows = rows;
    this.cursor = -1;
    [...this.head.cells].forEach((cell, at) => {
      if (COLUMNS[at].name === name) cell.ariaSort = rising ? "ascending" : "descending";
      else cell.removeAttribute("aria-sort");
    });
    this.count.textContent = `${rows.length.toLocaleString("en")} of ${this.trades.length.toLocaleString("en")} trades`;
    this.element.scrollTop = 0;
    this.draw();
  }

  draw(all = 0) {
    const first = all ? 0 : Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - 10);
    const last = all ? Math.min(all, this.rows.length) : Math.min(this.rows.length, first + Math.ceil(this.element.clientHeight / ROW_HEIGHT) + 20);
    const drawn = [gap(first)];
    for (let at = first; at < last; at += 1) drawn.push(this.row(at));
    drawn.push(gap(all ? 0 : this.rows.length - last));
    this.body.replaceChildren(...drawn);
  }

  row(at) {
    const trade = this.rows[at];
    const row = document.createElement("tr");
    row.dataset.row = String(at);
    row.ariaSelected = String(at === this.cursor);
    for (const column of COLUMNS) {
      const cell = row.insertCell();
      const value = trade[column.name];
      cell.textContent = column.show(value);
      if (column.isText) cell.className = "text";
      else if (column.isSigned && value) cell.className = value > 0 ? "good" : "bad";
    }
    return row;
  }

  onKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.target !== this.element) return;
    if (event.key in steps) {
      this.cursor = Math.min(Math.max(this.cursor + steps[event.key], 0), this.rows.length - 1);
      const top = this.cursor * ROW_HEIGHT;
      const height = this.element.clientHeight - 2 * ROW_HEIGHT;
      if (top < this.element.scrollTop) this.element.scrollTop = top;
      else if (top > this.element.scrollTop + height) this.element.scrollTop = top - height;
      this.draw();
      event.preventDefault();
    } else if (event.key === "Enter") this.pick(this.cursor);
  }

  pick(at) {
    if (!this.rows[at]) return;
    this.cursor = at;
    this.draw();
    this.choose(this.rows[at]);
  }
}

function rowText(trade) {
  trade.text ??= COLUMNS.map((column) => column.show(trade[column.name])).join(" ").toLowerCase();
  return trade.text;
}

function gap(rows) {
  const row = document.createElement("tr");
  row.className = "gap";
  row.ariaHidden = "true";
  row.style.height = `${Math.max(rows, 0) * ROW_HEIGHT}px`;
  row.style.display = rows > 0 ? "" : "none";
  row.insertCell().colSpan = COLUMNS.length;
  return row;
}
