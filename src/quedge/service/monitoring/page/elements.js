/* Elements; what comes from outside is only ever text. What has not changed is left alone. */
const at = id => document.getElementById(id);
function put(parent, name, properties = {}, text) {
  const svg = name === "svg" || parent.namespaceURI === "http://www.w3.org/2000/svg";
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(properties)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}
function say(element, text) { if (element.textContent !== text) element.textContent = text; }
function mark(element, key, value) { if (element.getAttribute(key) !== value) element.setAttribute(key, value); }

/* Children in an order; those that stand right are not moved. */
function arrange(parent, children) {
  children.forEach((child, place) => { if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null); });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}

/* Numbers as people read them. */
function short(number) {
  if (number === null || number === undefined) return "–";
  const size = Math.abs(number);
  if (size >= 1e6) return (number / 1e6).toPrecision(3) + " M";
  if (size >= 1e4) return (number / 1e3).toPrecision(3) + " k";
  return size < 1e-9 ? "0" : size >= 100 ? number.toFixed(0) : size < 0.001 ? number.toExponential(1) : String(+number.toPrecision(3));
}
function seconds(number) {
  if (number === null || number === undefined) return "–";
  return number >= 1 ? short(number) + " s" : number >= 1e-3 ? short(number * 1e3) + " ms" : short(number * 1e6) + " µs";
}
function watts(number) {
  if (number === null || number === undefined) return "–";
  return number >= 1 ? short(number) + " W" : number >= 1e-3 ? short(number * 1e3) + " mW" : number >= 1e-9 ? short(number * 1e6) + " µW" : "0 W";
}
const whole = number => number.toLocaleString("en");
const share = number => number === null || number === undefined ? "–" : Math.round(number * 100) + " %";
function ago(past) {
  if (past <= 0) return "now";
  const minutes = Math.floor(past / 60);
  return minutes ? `${minutes} min ${String(past % 60).padStart(2, "0")} s ago` : `${past} s ago`;
}
