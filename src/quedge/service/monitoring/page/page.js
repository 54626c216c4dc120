/* The numbers above the charts. */
function tiles(station, live) {
  const last = station.points.at(-1), from = station.points.at(-10) ?? station.points[0];
  const row = name => last ? last[live.columns.indexOf(name)] : null;
  const recent = station.points.slice(-10), sum = recent.reduce((total, point) => total + point[live.columns.indexOf("served")], 0);
  const rate = last && live.second - last[0] <= 10 ? sum / Math.max(1, live.second - from[0]) : 0;
  const gap = station.last ? station.last.certified_gap : null;
  const alone = station.late + station.policy_failed, all = Object.values(live.refused).reduce((a, b) => a + b, 0);
  const why = Object.entries(live.refused).sort((a, b) => b[1] - a[1]).slice(0, 2).map(([name, count]) => `${name.replaceAll("_", " ")} ${whole(count)}`);
  const shown = [
    ["Frames served", whole(station.served), `${short(rate)} a second; next is ${whole(station.next_frame)}`],
    ["Decision time, p50", seconds(row("decision_p50_s")), `p99 ${seconds(row("decision_p99_s"))}`],
    ["Offloading ratio", share(row("offloading_ratio")), `of ${whole(live.devices)} devices`],
    ["Proven gap", gap === null ? "–" : `${short(gap * 100)} %`, gap === null ? "no bound in the last frame" : "of the last frame, at most"],
    ["By best-single", whole(alone), alone ? `${whole(station.late)} late, ${whole(station.policy_failed)} failed` : "never late, never failed"],
    ["Refused, all stations", whole(all), all ? why.join(", ") : "none"],
  ];
  const list = at("tiles");
  while (list.children.length < shown.length) {
    const tile = put(list, "div", { class: "panel" });
    put(tile, "dt"); put(tile, "dd"); put(tile, "dd");
  }
  shown.forEach((texts, place) => texts.forEach((text, part) => say(list.children[place].children[part], text)));
}

/* What is served against its shadow. */
function shadow(station, live) {
  const beside = station.shadow, name = live.service ? live.service.shadow : "";
  at("shadow").hidden = !beside;
  if (!beside) return;
  say(at("shadow-title"), `Shadow: ${name}`);
  say(at("shadow-served"), `served: ${live.service ? live.service.policy : ""}`);
  say(at("shadow-beside"), `would be: ${name}`);
  const both = (one, other) => {
    const places = [live.columns.indexOf(one), live.columns.indexOf(other)];
    const points = station.points.filter(point => places.every(place => point[place] !== null));
    return places.map(place => points.length ? points.reduce((sum, point) => sum + point[place], 0) / points.length : null);
  };
  const gap = value => value === null || value === undefined ? "–" : `${short(value * 100)} %`;
  const queues = both("data_queue_mbit", "shadow_data_queue_mbit"), powers = both("power_w", "shadow_power_w");
  const rows = [
    ["Mean data queue, five minutes", ...queues.map(value => `${short(value)} Mbit`)],
    [`Mean power, budget ${watts(live.power_budget_w)}`, ...powers.map(watts)],
    ["Mean decision time", seconds(station.decision_mean_s), seconds(beside.decision_mean_s)],
    ["Proven gap, last frame", gap(station.last ? station.last.certified_gap : null), gap(beside.certified_gap)],
  ];
  const body = at("shadow-rows");
  while (body.rows.length < rows.length) {
    const row = put(body, "tr");
    put(row, "th", { scope: "row" }); put(row, "td"); put(row, "td");
  }
  rows.forEach((texts, place) => texts.forEach((text, part) => say(body.rows[place].cells[part], text)));
  const { better, equal, worse } = beside.outcomes, all = better + equal + worse;
  [better, equal, worse].forEach((count, place) => { at("shadow-bar").children[place].style.width = all ? `${count / all * 100}%` : "0"; });
  const percent = Math.round(beside.mean_difference * 1e4) / 100, sign = percent > 0 ? "+" : percent < 0 ? "−" : "±";
  say(at("shadow-outcomes"), all ? `better in ${share(better / all)}, equal in ${share(equal / all)}, worse in ${share(worse / all)} of ${whole(all)} frames; `
    + `objective ${sign}${short(Math.abs(percent))} % in the mean` : "no frame was compared yet");
  say(at("shadow-counts"), `${whole(beside.dropped)} frames dropped, ${whole(beside.failed)} failed; `
    + `its queues began ${beside.restarts === 1 ? "once" : `${whole(beside.restarts)} times`} at the served ones`);
}

/* Everything, once a second. */
const EVERY_MS = 1000, PATIENCE_MS = 3000;
let chosen = null, listed = null, drawn = null, heard = null;
function stations(list, station) {
  const buttons = at("stations"), names = JSON.stringify(list.map(each => each.name));
  if (listed !== names) {
    listed = names;
    buttons.replaceChildren();
    for (const each of list)
      put(buttons, "button", { type: "button", title: each.name }, each.name).addEventListener("click", () => { chosen = each.name; cursor.second = null; poll(); });
  }
  [...buttons.children].forEach((button, place) => mark(button, "aria-pressed", String(list[place].name === station.name)));
}
function show(live) {
  const about = live.service, list = live.base_stations;
  say(at("service"), about
    ? `${about.policy} on ${about.address} · survives: ${about.durability} · TLS: ${about.tls} · version ${live.version}`
    : `version ${live.version}`);
  say(at("state"), live.state === "ready" ? "taking reports" : live.state);
  mark(at("state"), "class", live.state === "ready" ? "ready" : "other");
  document.querySelector("main").hidden = list.length === 0;
  at("nothing").hidden = list.length > 0;
  if (list.length === 0) return;
  const station = list.find(each => each.name === chosen) ?? list[0], hasShadow = Boolean(about && about.shadow);
  stations(list, station);
  if (drawn !== hasShadow) {
    drawn = hasShadow;
    at("charts").replaceChildren();
    cursor.charts = CHARTS.map(each => new Chart(at("charts"), each, hasShadow));
  }
  if (cursor.second !== null && cursor.second > live.second) cursor.second = null;
  for (const chart of cursor.charts) chart.show(station.points, live.columns, live);
  tiles(station, live);
  shadow(station, live);
  devices(station, live);
}
function gone() {
  const since = heard ? ` since ${heard.toLocaleTimeString()}; what is shown is of then` : "";
  say(at("gone-since"), `The service does not answer${since}.`);
  const passed = heard ? Math.round((new Date() - heard) / 1000) : 0;
  say(at("gone-for"), passed > 0 ? `(${ago(passed).replace(" ago", "")}; asking again each second)` : "");
  at("gone").hidden = false;
  say(at("state"), "gone");
  mark(at("state"), "class", "gone");
  document.body.classList.add("old");
}
let waiting = null, asking = false;
async function poll() {
  clearTimeout(waiting);
  if (asking) return;
  asking = true;
  try {
    const reply = await fetch("/live.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    show(await reply.json());
    heard = new Date();
    document.body.classList.remove("old");
    at("gone").hidden = true;
  } catch (error) {
    gone();
  }
  asking = false;
  waiting = setTimeout(poll, EVERY_MS);
}
window.addEventListener("resize", () => cursor.charts.forEach(chart => chart.draw()));
poll();
