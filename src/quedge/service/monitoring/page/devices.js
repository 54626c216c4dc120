/* The last frame, device by device: a card each, or of many a table that can be sorted and filtered. */
const MANY = 60, STATES = ["offloads", "computes", "silent"];
const COLUMNS = [{ key: "device", title: "Device" }, { key: "state", title: "State" }, { key: "queue", title: "Data queue" }, { key: "power", title: "Power" }];
const sorting = { key: "device", down: false };
let shownLast = null;

/* What is known of each device now. */
function devicesOf(station) {
  const { last, silent } = station;
  const heard = last.devices.map((device, place) => ({ device, state: last.offload[place] ? "offloads" : "computes",
    queue: last.data_queue_mbit[place], power: last.power_w[place] }));
  return [...heard, ...silent.devices.map((device, place) => ({ device, state: "silent", queue: silent.data_queue_mbit[place], power: null }))]
    .sort((one, other) => one.device - other.device);
}
function devices(station, live) {
  const last = station.last, all = last ? devicesOf(station) : [];
  at("devices").hidden = all.length >= MANY;
  at("many").hidden = all.length < MANY;
  if (!last) {
    say(at("last-frame"), "no frame since the service began");
    at("devices").replaceChildren();
    return;
  }
  const by = { policy: "", late: ", by best-single: the report was late", policy_failed: ", by best-single: the policy failed" };
  const count = last.offload.filter(Boolean).length, cut = last.reported > last.devices.length, silent = live.devices - last.reported;
  say(at("last-frame"), `frame ${whole(last.frame)}${by[last.served_by]}: ${whole(count)} of ${whole(cut ? last.devices.length : live.devices)} offload`
    + (cut ? `, of the first ${whole(last.devices.length)}` : "") + (silent > 0 ? `; ${whole(silent)} did not report` : ""));
  const most = { queue: Math.max(...all.map(each => each.queue), 1e-9), power: Math.max(...last.power_w, live.power_budget_w, 1e-9), budget: live.power_budget_w };
  shownLast = { all, most };
  if (all.length < MANY) cards(all, most); else table();
}

/* A bar with its number, made once and changed in place. */
class Bar {
  constructor(parent) {
    const row = put(parent, "div", { class: "row" });
    this.full = put(put(row, "div", { class: "bar", "aria-hidden": "true" }), "i");
    this.text = put(row, "span");
  }
  show(full, over, text) {
    const width = `${Math.round(full * 100)}%`;
    if (this.full.style.width !== width) this.full.style.width = width;
    mark(this.full, "class", over ? "over" : "");
    say(this.text, text);
  }
}
function fill(parts, each, most) {
  mark(parts.item, "class", each.state);
  say(parts.how, each.state);
  parts.queue.show(each.queue / most.queue, false, `${short(each.queue)} Mbit`);
  parts.power.show((each.power ?? 0) / most.power, each.power > most.budget, watts(each.power));
}
const cardsOf = new Map(), rowsOf = new Map();
function cards(all, most) {
  for (const each of all) {
    if (!cardsOf.has(each.device)) {
      const item = document.createElement("li"), who = put(item, "div", { class: "who" });
      put(who, "span", {}, `device ${each.device}`);
      cardsOf.set(each.device, { item, how: put(who, "span", { class: "how" }), queue: new Bar(item), power: new Bar(item) });
    }
    fill(cardsOf.get(each.device), each, most);
  }
  arrange(at("devices"), all.map(each => cardsOf.get(each.device).item));
}

/* The table: a group of rows for each state. */
const groups = new Map();
function table() {
  if (!shownLast) return;
  const { all, most } = shownLast, wanted = all.filter(filtered());
  const value = each => sorting.key === "state" ? STATES.indexOf(each.state) : each[sorting.key] ?? -1;
  wanted.sort((one, other) => (value(one) - value(other)) * (sorting.down ? -1 : 1) || one.device - other.device);
  for (const each of wanted) {
    if (!rowsOf.has(each.device)) {
      const item = document.createElement("tr");
      put(item, "th", { scope: "row" }, String(each.device));
      rowsOf.set(each.device, { item, how: put(item, "td", { class: "how" }), queue: new Bar(put(item, "td")), power: new Bar(put(item, "td")) });
    }
    fill(rowsOf.get(each.device), each, most);
  }
  const ordered = sorting.key === "state" && sorting.down ? [...STATES].reverse() : STATES;
  for (const state of STATES) {
    if (!groups.has(state)) {
      const body = document.createElement("tbody"), row = put(body, "tr");
      groups.set(state, { body, row, head: put(row, "th", { scope: "rowgroup", colspan: COLUMNS.length }) });
    }
    const { body, row, head } = groups.get(state), those = wanted.filter(each => each.state === state);
    body.hidden = those.length === 0;
    say(head, `${state} · ${whole(those.length)}`);
    arrange(body, [row, ...those.map(each => rowsOf.get(each.device).item)]);
  }
  arrange(at("table"), [at("table").tHead, ...ordered.map(state => groups.get(state).body)]);
  say(at("shown"), wanted.length === all.length ? `${whole(all.length)} devices` : `${whole(wanted.length)} of ${whole(all.length)} devices`);
}
/* Which devices are asked for: numbers and ranges of them, a state, and a least queue. */
function filtered() {
  const asked = at("by-name").value.split(/[\s,;]+/).filter(Boolean), state = at("by-state").value, least = Number(at("by-queue").value) || 0;
  const ranges = asked.map(text => /^(\d+)(?:[-–](\d+))?$/.exec(text)).filter(Boolean).map(found => [+found[1], +(found[2] ?? found[1])]);
  mark(at("by-name"), "aria-invalid", String(ranges.length < asked.length));
  return each => (!asked.length || ranges.some(([from, to]) => from <= each.device && each.device <= to))
    && (!state || each.state === state) && each.queue >= least;
}
for (const { key, title } of COLUMNS) {
  const head = put(at("table").tHead.rows[0], "th", { scope: "col" });
  if (key === sorting.key) head.setAttribute("aria-sort", "ascending");
  put(head, "button", { type: "button" }, title).addEventListener("click", () => {
    sorting.down = sorting.key === key ? !sorting.down : key === "queue" || key === "power";
    sorting.key = key;
    for (const other of at("table").tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
    table();
  });
}
at("filters").addEventListener("input", table);
at("filters").addEventListener("submit", event => event.preventDefault());
