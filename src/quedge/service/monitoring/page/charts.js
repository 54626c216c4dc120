/* What the four charts show: series are columns of the points, or a number that stays. */
const SPAN = 300, HIGH = 172, LEFT = 46, RIGHT = 8, TOP = 14, BOTTOM = 20, JOINED = 3, MINUTE = 60;
const CHARTS = [
  { title: "Mean data queue (Mbit)", of: "Mean data queue", unit: " Mbit", show: short, least: 0.01,
    series: [{ name: "queue", column: "data_queue_mbit", kind: "blue" }, { name: "shadow", column: "shadow_data_queue_mbit", kind: "green dotted", beside: true }] },
  { title: "Mean power (W)", of: "Mean power against its budget", unit: " W", show: short, least: 1e-6,
    series: [{ name: "power", column: "power_w", kind: "blue" }, { name: "budget", constant: "power_budget_w", kind: "orange dashed" },
             { name: "shadow", column: "shadow_power_w", kind: "green dotted", beside: true }] },
  { title: "Decision time", of: "Decision time", unit: "", show: seconds, log: true,
    series: [{ name: "p50", column: "decision_p50_s", kind: "blue" }, { name: "p99", column: "decision_p99_s", kind: "orange dashed" }] },
  { title: "Reports a second", of: "Reports a second", unit: "", show: short, least: 1, whole: true,
    series: [{ name: "served", column: "served", kind: "blue" }, { name: "refused", column: "refused", kind: "red dashed" },
             { name: "best-single", column: "best_single", kind: "orange" }] },
];

/* The second that all charts point at; null for the last one. */
const cursor = { second: null, charts: [] };
function pointAt(second) {
  cursor.second = second;
  for (const chart of cursor.charts) chart.draw();
}

class Chart {
  constructor(parent, about, hasShadow) {
    this.about = { ...about, series: about.series.filter(series => hasShadow || !series.beside) };
    const panel = put(parent, "section", { class: "panel" });
    const head = put(panel, "header");
    put(head, "h2", {}, about.title);
    const legend = put(head, "span", { class: "legend" });
    this.values = this.about.series.map(series => {
      const item = put(legend, "span");
      put(put(item, "svg", { "aria-hidden": "true" }), "line", { x1: 1, y1: 4, x2: 17, y2: 4, class: "series " + series.kind });
      put(item, "i", {}, series.name + " ");
      return put(item, "b", {}, "–");
    });
    /* To a screen reader it is a slider over the last five minutes, whose value is read as the arrow keys move it. */
    this.box = put(panel, "div", { class: "chart", tabindex: 0, role: "slider", "aria-label": `${about.of}, the last five minutes`,
      "aria-valuemin": -SPAN, "aria-valuemax": 0, "aria-valuenow": 0 });
    this.svg = put(this.box, "svg", { "aria-hidden": "true", preserveAspectRatio: "none" });
    this.box.addEventListener("pointermove", event => {
      const box = this.svg.getBoundingClientRect(), points = this.within();
      const age = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT) * SPAN - SPAN;
      if (points.length) pointAt(nearest(points, this.live.second + age)[0]);
    });
    this.box.addEventListener("pointerleave", () => pointAt(null));
    this.box.addEventListener("blur", () => pointAt(null));
    this.box.addEventListener("keydown", event => this.key(event));
  }
  key(event) {
    const points = this.within(), here = points.findIndex(point => point[0] === cursor.second);
    const from = here < 0 ? points.length - 1 : here;
    const by = second => points.indexOf(nearest(points, second));
    const places = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, Home: 0, End: points.length - 1,
      PageUp: points.length && by(points[from][0] - MINUTE), PageDown: points.length && by(points[from][0] + MINUTE) };
    if (event.key === "Escape") { pointAt(null); this.tell(); return; }
    if (!(event.key in places) || !points.length || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    pointAt(points[Math.min(Math.max(places[event.key], 0), points.length - 1)][0]);
    this.tell();
  }
  show(points, columns, live) {
    this.points = points; this.live = live;
    this.series = this.about.series.map(series => {
      const place = columns.indexOf(series.column);
      return point => series.constant ? live[series.constant] : point[place];
    });
    this.draw();
    if (document.activeElement !== this.box) this.tell();
  }
  within() { return (this.points ?? []).filter(point => point[0] - this.live.second >= -SPAN); }
  draw() {
    if (!this.points) return;
    const { about, svg } = this, age = point => point[0] - this.live.second, points = this.within();
    const drawn = this.series.flatMap(value => points.map(value)).filter(number => number !== null && (!about.log || number > 0));
    const scale = about.log ? logarithmic(drawn) : linear(drawn, about.least, about.whole);
    const wide = Math.max(svg.getBoundingClientRect().width, 200);
    const x = second => LEFT + (second + SPAN) / SPAN * (wide - LEFT - RIGHT);
    const y = number => TOP + (1 - scale.place(number)) * (HIGH - TOP - BOTTOM);
    mark(svg, "viewBox", `0 0 ${wide} ${HIGH}`);
    svg.replaceChildren();
    scale.ticks.forEach((tick, place) => {
      put(svg, "line", { x1: LEFT, x2: wide - RIGHT, y1: y(tick), y2: y(tick), class: place === 0 ? "axis" : "rule" });
      put(svg, "text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, about.log ? about.show(tick) : scale.labels[place]);
    });
    for (let step = wide < 420 ? 2 : 1, minute = step === 2 ? -4 : -5; minute <= 0; minute += step)
      put(svg, "text", { x: x(minute * MINUTE), y: HIGH - 4, "text-anchor": minute === 0 ? "end" : minute === -5 ? "start" : "middle" },
        minute === 0 ? "now" : `${minute} min`.replace("-", "−"));
    const pointed = cursor.second !== null && points.length > 0;
    this.near = pointed ? nearest(points, cursor.second) : points.at(-1);
    this.series.forEach((value, place) => {
      put(svg, "path", { d: line(points, value, about.log, point => x(age(point)), y), class: "series " + about.series[place].kind });
      say(this.values[place], this.near ? about.show(value(this.near)) : "–");
    });
    if (!pointed) return;
    const there = x(age(this.near)), side = there > wide / 2 ? "end" : "start";
    put(svg, "line", { x1: there, x2: there, y1: TOP, y2: HIGH - BOTTOM, class: "pointer" });
    put(svg, "text", { x: there + (side === "end" ? -5 : 5), y: 10, "text-anchor": side, class: "when" }, ago(-age(this.near)));
  }
  /* Its value in words; as long as it has the focus only when a key has moved it. */
  tell() {
    const age = this.near ? this.near[0] - this.live.second : 0;
    const said = this.about.series.map((series, place) => `${series.name} ${this.values[place].textContent}${this.about.unit}`).join(", ");
    mark(this.box, "aria-valuenow", String(age));
    mark(this.box, "aria-valuetext", `${cursor.second === null ? "now" : ago(-age)}: ${said}`);
  }
}
function nearest(points, second) {
  return points.reduce((best, point) => Math.abs(point[0] - second) < Math.abs(best[0] - second) ? point : best, points[0]);
}
function line(points, value, log, x, y) {
  let path = "", last = null;
  for (const point of points) {
    const number = value(point);
    if (number === null || (log && number <= 0)) { last = null; continue; }
    const joined = last !== null && point[0] - last <= JOINED;
    path += `${joined ? "L" : "M"}${x(point).toFixed(1)} ${y(number).toFixed(1)}${joined ? "" : "h0"}`;
    last = point[0];
  }
  return path;
}
function linear(numbers, least, counts) {
  const highest = Math.max(...numbers, least), rough = highest / 4, power = 10 ** Math.floor(Math.log10(rough));
  let step = power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= rough * 0.999), ticks = [];
  if (counts) step = Math.max(1, Math.ceil(step));
  for (let count = 0; count * step <= highest * 1.0001 || ticks.length < 2; count++) ticks.push(count * step);
  const top = Math.max(highest * 1.05, ticks.at(-1));
  return { ticks, labels: labels(ticks, step), place: number => number / top };
}
/* No two ticks are called the same: they have as many digits as the step between them. */
function labels(ticks, step) {
  const [unit, name] = ticks.at(-1) >= 1e6 ? [1e6, " M"] : ticks.at(-1) >= 1e4 ? [1e3, " k"] : [1, ""];
  if (step < 1e-4) return ticks.map(tick => tick === 0 ? "0" : tick.toExponential(1));
  let digits = 0;
  while (digits < 6 && Math.abs(step / unit * 10 ** digits - Math.round(step / unit * 10 ** digits)) > 1e-6) digits++;
  return ticks.map(tick => tick === 0 ? "0" : (tick / unit).toFixed(digits) + name);
}
function logarithmic(numbers) {
  const low = numbers.length ? Math.floor(Math.log10(Math.min(...numbers)) + 1e-9) : -5;
  const high = Math.max(numbers.length ? Math.ceil(Math.log10(Math.max(...numbers)) - 1e-9) : -3, low + 1), ticks = [];
  for (let power = low; power <= high; power++) ticks.push(10 ** power);
  return { ticks, place: number => (Math.log10(number) - low) / (high - low) };
}
