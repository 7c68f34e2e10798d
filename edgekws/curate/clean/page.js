"use strict";
// The server sends the ranking in pages; a decision is shown only after the server has written it to disk.
const COUNT = 25;
const byId = (name) => document.getElementById(name);
const player = byId("player");
const state = { start: 0, total: 0, clips: [] };

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

async function attempt(work) {
  try {
    await work();
    byId("problem").hidden = true;
  } catch (error) {
    const disconnected = error instanceof TypeError;
    byId("problem").textContent = disconnected ? "The server does not answer: is edgekws still running? Nothing was saved."
      : `Not saved: ${error.message}`;
    byId("problem").hidden = false;
  }
}

function make(kind, className, text) {
  const element = document.createElement(kind);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function showCounts(counts) {
  byId("counts").textContent =
    `${counts.keep} kept, ${counts.drop} dropped, ${counts.relabel} relabelled, saved in ${state.file}`;
}

function draw(canvas, wave) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || 240, height = canvas.clientHeight || 56;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = getComputedStyle(canvas).getPropertyValue("--accent");
  const step = width / wave.length;
  wave.forEach(([low, high], column) => {
    const top = (1 - high) * height / 2, bottom = (1 - low) * height / 2;
    pen.fillRect(column * step, top, Math.max(step - 0.3, 0.6), Math.max(bottom - top, 1));
  });
}

function row(clip) {
  const item = make("li");
  item.tabIndex = 0;
  item.dataset.id = clip.id;
  const play = make("button", "play", "\u25b6");
  play.type = "button";
  play.setAttribute("aria-label", `Play ${clip.id}`);
  play.addEventListener("click", () => listen(clip));
  const wave = make("canvas");
  wave.setAttribute("aria-hidden", "true");
  item.append(...(clip.wave ? [play, wave] : [make("span"), make("p", "silent soft", "nothing to play")]),
    about(clip), choice(clip));
  item.addEventListener("focusin", () => { state.current = clip; });
  Object.assign(clip, { item, play, canvas: wave });
  showDecision(clip);
  return item;
}

function about(clip) {
  const part = make("div", "about"), labels = make("p", "labels"), why = make("p", "why");
  labels.append("labelled ", make("b", "", clip.label));
  if (clip.suggested) labels.append(", sounds like ", make("b", "", clip.suggested));
  for (const reason of clip.reasons) {
    const text = make("span");
    text.append(make("b", "", reason.reason), ` ${Math.round(100 * reason.score)} %: ${reason.detail}`);
    why.append(text);
  }
  if (!clip.reasons.length) why.append(make("span", "", `no fault found; probability of a wrong label ${Math.round(100 * clip.score)} %`));
  part.append(labels, make("p", "name soft", clip.split ? `${clip.id} (${clip.split})` : clip.id), why);
  return part;
}

function choice(clip) {
  const part = make("div", "choice");
  for (const decision of ["keep", "drop"]) {
    const button = make("button", decision, decision === "keep" ? "Keep" : "Drop");
    button.type = "button";
    button.addEventListener("click", () => decide(clip, clip.decision === decision ? null : decision));
    part.append(button);
  }
  part.append(field(clip));
  return part;
}

// Enter or a choice from the list sets the label; Escape, or leaving the field, discards what was typed.
function field(clip) {
  const input = make("input");
  input.setAttribute("list", "labels");
  input.placeholder = "other label";
  input.setAttribute("aria-label", `Label of ${clip.id}`);
  const commit = () => {
    if (input.value.trim()) decide(clip, `relabel:${input.value.trim()}`);
    clip.item.focus();
  };
  input.addEventListener("input", (event) => {
    if (!event.inputType || event.inputType === "insertReplacementText") commit();  // chosen from the list
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") commit();
    if (event.key === "Escape") clip.item.focus();
  });
  input.addEventListener("blur", () => showDecision(clip));
  clip.input = input;
  return input;
}

const labelOf = (decision) => ((decision || "").startsWith("relabel:") ? decision.slice("relabel:".length) : "");

function showDecision(clip) {
  const kind = labelOf(clip.decision) ? "relabel" : clip.decision || "";
  clip.item.dataset.decision = kind;
  clip.input.value = labelOf(clip.decision);
  for (const button of clip.item.querySelectorAll(".choice button"))
    button.setAttribute("aria-pressed", String(button.classList.contains(kind || "-")));
}

function typeLabel(clip) {
  clip.input.focus();
  clip.input.select();
}

function decide(clip, decision) {
  return attempt(async () => {
    const answer = await ask("api/decisions", { id: clip.id, decision });
    clip.decision = answer.decision;
    showDecision(clip);
    showCounts(answer.decisions);
    if (decision && byId("onward").checked) move(clip, 1, true);
  });
}

function listen(clip) {
  if (!clip.wave) return silence();
  const again = state.playing === clip && !player.paused;
  silence();
  if (again) return;
  player.src = `audio/${clip.place}.wav`;
  state.playing = clip;
  clip.play.classList.add("on");
  player.play().catch((error) => {
    if (state.playing !== clip || error.name === "AbortError") return;  // aborted by the next clip
    silence();
    attempt(() => { throw new Error(`the recording cannot be played (${error.message})`); });
  });
}

function silence() {
  player.pause();
  if (state.playing) state.playing.play.classList.remove("on");
  state.playing = undefined;
}

// After the last clip of a page comes the first of the next page, so that the keyboard is enough.
async function move(from, by, sound) {
  let next = state.clips[state.clips.indexOf(from) + by];
  if (!next && !byId(by > 0 ? "after" : "before").disabled && await load(by > 0 ? startAfter() : startBefore()))
    next = state.clips.at(by > 0 ? 0 : -1);
  if (!next) return;
  next.item.focus();
  next.item.scrollIntoView({ block: "nearest" });
  if (sound) listen(next);
}

const startBefore = () => Math.max(0, state.start - COUNT);
// Decided clips leave the list of undecided ones, so the following clips move up by their number.
const startAfter = () => state.start
  + (byId("undecided").checked ? state.clips.filter((clip) => !clip.decision).length : COUNT);

async function load(start) {
  let loaded = false;
  silence();
  byId("before").disabled = byId("after").disabled = true;  // a second click would use the old position
  await attempt(async () => {
    const request = state.request = (state.request || 0) + 1;
    const query = new URLSearchParams({ start, count: COUNT, reason: byId("reason").value });
    if (byId("undecided").checked) query.set("undecided", "1");
    const page = await ask(`api/clips?${query}`);
    if (request !== state.request) return;  // another page has been requested meanwhile
    Object.assign(state, { start, total: page.total, clips: page.clips, current: undefined });
    byId("clips").replaceChildren(...page.clips.map(row));
    for (const clip of page.clips) if (clip.wave) draw(clip.canvas, clip.wave);
    const last = start + page.clips.length;
    byId("empty").hidden = page.total > 0;
    byId("place").textContent = page.total ? `${start + 1} to ${last} of ${page.total}` : "";
    window.scrollTo(0, 0);
    loaded = true;
  });
  byId("before").disabled = state.start === 0;
  byId("after").disabled = state.start + state.clips.length >= state.total;
  return loaded;
}

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("select, input:not([type=checkbox])")) return;  // letters are typed text there
  const clip = state.current || state.clips[0];
  if (!clip || (event.key === " " && event.target.matches("button, input"))) return;
  const done = {
    " ": () => listen(clip), k: () => decide(clip, "keep"), d: () => decide(clip, "drop"),
    s: () => clip.suggested && decide(clip, `relabel:${clip.suggested}`), l: () => typeLabel(clip),
    u: () => decide(clip, null), ArrowDown: () => move(clip, 1), ArrowUp: () => move(clip, -1),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!done) return;
  event.preventDefault();
  done();
}

player.addEventListener("ended", silence);
document.addEventListener("keydown", pressed);
byId("reason").addEventListener("change", () => load(0));
byId("undecided").addEventListener("change", () => load(0));
byId("before").addEventListener("click", () => load(startBefore()));
byId("after").addEventListener("click", () => load(startAfter()));

attempt(async () => {
  const summary = await ask("api/summary");
  state.file = summary.file;
  document.title = byId("title").textContent = `${summary.data}: ${summary.clips} recordings, worst first`;
  for (const [reason, clips] of Object.entries(summary.reasons)) {
    const option = make("option", "", `${reason} (${clips})`);
    option.value = reason;
    byId("reason").append(option);
  }
  byId("labels").replaceChildren(...summary.labels.map((label) => Object.assign(make("option"), { value: label })));
  showCounts(summary.decisions);
  await load(0);
});
