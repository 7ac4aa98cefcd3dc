/* The page: fields, their state in the address, and the results. */
"use strict";

const MOST_CLASSES = 16;
const START = { scores: ["2", "1", "0"], temperature: "1", trueClass: 0, digits: "6" };
const MINUS = "\u2212";

const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

// -- state: what is typed, in the fields and in the address ---------------------------------------

function stateOfFields() {
  return {
    scores: [...document.querySelectorAll("#scores input[type=text]")].map((field) => field.value),
    temperature: byId("temperature").value,
    trueClass: byId("true-class").selectedIndex,
    digits: byId("digits").value,
  };
}

function hashOf(state) {
  const scores = state.scores.map(encodeURIComponent).join(",");
  return `#z=${scores}&T=${encodeURIComponent(state.temperature)}&true=${state.trueClass}`
    + `&digits=${encodeURIComponent(state.digits)}`;
}

function stateOfHash(hash) {
  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // a % that encodes nothing stands for itself
    }
  };
  const pairs = hash.replace(/^#/, "").split("&").map((pair) => {
    const equals = pair.indexOf("=");
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  });
  const given = Object.fromEntries(pairs);
  const scores = given.z === undefined ? START.scores : given.z.split(",").map(decode);
  const trueClass = Number(given.true ?? START.trueClass);
  return {
    scores: scores.slice(0, MOST_CLASSES),
    left: Math.max(0, scores.length - MOST_CLASSES),
    temperature: given.T === undefined ? START.temperature : decode(given.T),
    trueClass: Number.isInteger(trueClass) && trueClass >= 0 && trueClass < scores.length
      ? trueClass : 0,
    digits: given.digits === undefined ? START.digits : decode(given.digits),
  };
}

// -- fields ---------------------------------------------------------------------------------------

function scoreRow(score, k) {
  const row = make("li");
  const field = make("input", {
    type: "text", id: `score-${k}`, autocapitalize: "off", spellcheck: "false",
    "aria-describedby": `score-hint score-${k}-error`,
  });
  field.value = score;
  const slider = make("input", {
    type: "range", min: "-10", max: "10", step: "0.1", "aria-label": `Score of class ${k}, by slider`,
  });
  slider.value = Number(score) || 0;
  field.addEventListener("input", () => {
    if (Number.isFinite(Number(field.value))) slider.value = field.value;
    update();
  });
  slider.addEventListener("input", () => {
    field.value = slider.value;
    update();
  });
  const remove = make("button", { type: "button", "aria-label": `Remove class ${k}` }, "×");
  remove.addEventListener("click", () => removeClass(k));
  row.append(
    make("label", { for: `score-${k}` }, `class ${k}`), field, slider, remove,
    make("p", { class: "error", id: `score-${k}-error` }),
  );
  return row;
}

function fill(state) {
  byId("scores").replaceChildren(...state.scores.map(scoreRow));
  byId("true-class").replaceChildren(
    ...state.scores.map((_, k) => make("option", { value: k }, `class ${k}`)));
  byId("true-class").selectedIndex = state.trueClass;
  byId("temperature").value = state.temperature;
  byId("digits").value = state.digits;
  moveSliders();
  for (const button of document.querySelectorAll("#scores button")) {
    button.disabled = state.scores.length === 1;
  }
  byId("add").disabled = state.scores.length === MOST_CLASSES;
  byId("left-out").textContent = state.left
    ? `The link held ${state.scores.length + state.left} scores; this page takes ${MOST_CLASSES}, `
      + "and left the last ones out." : "";
  update();
}

function moveSliders() {
  const temperature = Number(byId("temperature").value);
  if (temperature > 0) byId("temperature-slider").value = Math.log10(temperature);
  byId("digits-slider").value = Number(byId("digits").value) || 6;
}

function addClass() {
  const state = stateOfFields();
  fill({ ...state, scores: [...state.scores, "0"] });
  byId(`score-${state.scores.length}`).focus();
}

function removeClass(k) {
  const state = stateOfFields();
  const scores = state.scores.filter((_, j) => j !== k);
  const after = state.trueClass > k ? state.trueClass - 1 : state.trueClass;
  fill({ ...state, scores, trueClass: Math.min(after, scores.length - 1) });
  byId(`score-${Math.min(k, scores.length - 1)}`).focus();
}

/** The value that a field holds, or undefined once the error stands beside it. */
function read(id, parse) {
  const field = byId(id);
  const error = byId(`${id}-error`);
  try {
    const value = parse(field.value);
    field.removeAttribute("aria-invalid");
    error.textContent = "";
    return value;
  } catch (problem) {
    field.setAttribute("aria-invalid", "true");
    error.textContent = problem.message;
    return undefined;
  }
}

function parseDigits(text) {
  const digits = Number(text.trim() || NaN);
  if (!Number.isInteger(digits) || digits < 1 || digits > 50) {
    throw new Error("Digits must be a whole number from 1 to 50.");
  }
  return digits;
}

// -- results --------------------------------------------------------------------------------------

const readable = (text) => text.replaceAll("-", MINUS);

function put(quantity, text) {
  document.querySelector(`[data-quantity="${quantity}"]`).textContent = readable(text);
}

function cell(quantity, label, text) {
  return make("td", { "data-quantity": quantity, "data-label": label, role: "cell" }, readable(text));
}

function stepRow(k, text, result, trueClass) {
  const row = make("tr", { role: "row", class: k === trueClass ? "true" : "" });
  const name = k === trueClass ? `${k} (true)` : String(k);
  const probability = cell(`p ${k}`, "probability p = exponential / sum", text((s) => s.p[k]));
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.width = `${100 * Precise.toNumber(result.at(128).p[k])}%`;
  probability.append(bar);
  row.append(
    make("th", { scope: "row", role: "rowheader" }, name),
    cell(`shifted ${k}`, "shifted (z − max z) / T", shiftedText(result.shifted[k], text)),
    cell(`exponential ${k}`, "exponential exp(shifted)", text((s) => s.exponentials[k])),
    probability,
    cell(`log p ${k}`, "log p = shifted − log sum", text((s) => s.logP[k])),
    cell(`gradient ${k}`, "gradient (p − y) / T", text((s) => s.gradient[k])),
  );
  return row;
}

function shiftedText(shifted, text) {
  return Array.isArray(shifted)
    ? Precise.formatRatio(shifted[0], shifted[1], text.digits) : text(() => shifted);
}

function showJacobian(text, result) {
  const numbers = result.at(128).jacobian.map((row) => row.map(Precise.toNumber));
  const largest = Math.max(...numbers.flat().map(Math.abs)) || 1;
  const classes = numbers.map((_, k) => k);
  const head = make("tr");
  head.append(make("th", { scope: "col" }, "i \\ j"),
    ...classes.map((k) => make("th", { scope: "col" }, `z ${k}`)));
  document.querySelector("#jacobian thead").replaceChildren(head);
  document.querySelector("#jacobian tbody").replaceChildren(...classes.map((i) => {
    const row = make("tr");
    row.append(make("th", { scope: "row" }, `p ${i}`), ...classes.map((j) => {
      const td = cell(`jacobian ${i} ${j}`, "", text((s) => s.jacobian[i][j]));
      td.removeAttribute("role");
      td.className = numbers[i][j] < 0 ? "negative" : "positive";
      td.style.setProperty("--strength", 0.5 * Math.abs(numbers[i][j]) / largest);
      return td;
    }));
    return row;
  }));
}

function showTwin(text, scores, temperature, result) {
  byId("twin").hidden = scores.length !== 2;
  if (scores.length !== 2) return;
  const [, lower] = result.shifted;
  const [upper] = result.shifted;
  const isZero = (x) => Array.isArray(x) && x[0] === 0n;
  const difference = isZero(lower) ? upper
    : Array.isArray(lower) ? [-lower[0], lower[1]] : Infinity;
  put("difference", shiftedText(difference, text));
  put("sigmoid", text((s) => s.p[0]));
  put("slope", text((s, bits) => Precise.multiply(s.p[0], s.p[1], bits)));
}

function show(scores, temperature, trueClass, digits) {
  const result = Softmax.steps(scores, temperature, trueClass);
  byId("results").hidden = !result.isDefined;
  if (!result.isDefined) {
    byId("summary").textContent = "Every score is −inf: no class can happen, so these scores have "
      + "no softmax (NaN). Give at least one class a larger score.";
    return;
  }
  const text = (pick) => Precise.format((bits) => pick(result.at(bits), bits), digits);
  text.digits = digits;
  document.querySelector("#steps tbody").replaceChildren(
    ...scores.map((_, k) => stepRow(k, text, result, trueClass)));
  put("total", text((s) => s.total));
  put("log total", text((s) => s.logTotal));
  put("cross-entropy", text((s) => s.loss));
  showTwin(text, scores, temperature, result);
  showJacobian(text, result);
  const numbers = result.at(128).p.map(Precise.toNumber);
  const likeliest = numbers.indexOf(Math.max(...numbers));
  const short = (pick) => readable(Precise.format((bits) => pick(result.at(bits)), 4));
  byId("summary").textContent = `Class ${likeliest} has the largest probability, `
    + `${short((s) => s.p[likeliest])}. The true class ${trueClass} has probability `
    + `${short((s) => s.p[trueClass])} and a cross-entropy of ${short((s) => s.loss)} nats.`;
}

let waiting;

/** Write the state to the link, and to the address once a slider rests: browsers limit how often. */
function writeAddress(hash) {
  byId("link").href = hash;
  clearTimeout(waiting);
  waiting = setTimeout(() => history.replaceState(null, "", hash), 200);
}

function update() {
  const state = stateOfFields();
  const scores = state.scores.map((_, k) =>
    read(`score-${k}`, (text) => Softmax.parse(text, `Score ${k}`)));
  const temperature = read("temperature", Softmax.parseTemperature);
  const digits = read("digits", parseDigits);
  writeAddress(hashOf(state));
  if ([...scores, temperature, digits].includes(undefined)) {
    byId("results").hidden = true;
    byId("summary").textContent = "Not yet a calculation: see the field marked above.";
  } else {
    show(scores, temperature, state.trueClass, digits);
  }
}

// -- events ---------------------------------------------------------------------------------------

byId("form").addEventListener("submit", (event) => event.preventDefault());
byId("add").addEventListener("click", addClass);
byId("true-class").addEventListener("change", update);
for (const id of ["temperature", "digits"]) {
  byId(id).addEventListener("input", () => {
    moveSliders();
    update();
  });
}
byId("temperature-slider").addEventListener("input", (event) => {
  byId("temperature").value = String(Number((10 ** event.target.value).toPrecision(3)));
  update();
});
byId("digits-slider").addEventListener("input", (event) => {
  byId("digits").value = event.target.value;
  update();
});
// The address itself may by now be that of an earlier state, which was waiting to be written.
window.addEventListener("hashchange", (event) => fill(stateOfHash(new URL(event.newURL).hash)));
fill(stateOfHash(location.hash));
