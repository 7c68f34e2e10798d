"use strict";
// The ranking comes in pages from this server; a decision is shown only once the server has it on disk.
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
    const gone = error instanceof TypeError;
    byId("problem").textContent = gone ? "The server does not answer: is edgekws still running? Nothing was saved."
      : `Not done: ${error.message}`;
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
  byId("counts").textContent = `${counts.keep} kept, ${counts.drop} dropped, saved in ${state.file}`;
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
  item.dataset.decision = clip.decision || "";
  const play = make("button", "play", "\u25b6");
  play.type = "button";
  play.setAttribute("aria-label", `Play ${clip.id}`);
  play.addEventListener("click", () => listen(clip));
  const wave = make("canvas");
  wave.setAttribute("aria-hidden", "true");
  item.append(play, wave, about(clip), choice(clip));
  item.addEventListener("focusin", () => { state.current = clip; });
  Object.assign(clip, { item, play, canvas: wave });
  return item;
}

function about(clip) {
  const part = make("div", "about"), said = make("p", "said"), why = make("p", "why");
  said.append("labelled ", make("b", "", clip.label));
  if (clip.suggested) said.append(", sounds like ", make("b", "", clip.suggested));
  for (const found of clip.reasons) {
    const reason = make("span");
    reason.append(make("b", "", found.reason), ` ${Math.round(100 * found.score)} %: ${found.detail}`);
    why.append(reason);
  }
  if (!clip.reasons.length) why.append(make("span", "", `no reason; doubt about its label ${Math.round(100 * clip.score)} %`));
  part.append(said, make("p", "name soft", clip.split ? `${clip.id} (${clip.split})` : clip.id), why);
  return part;
}

function choice(clip) {
  const part = make("div", "choice");
  for (const decision of ["keep", "drop"]) {
    const button = make("button", decision, decision === "keep" ? "Keep" : "Drop");
    button.type = "button";
    button.setAttribute("aria-pressed", String(clip.decision === decision));
    button.addEventListener("click", () => decide(clip, clip.decision === decision ? null : decision));
    part.append(button);
  }
  return part;
}

function decide(clip, decision) {
  return attempt(async () => {
    const answer = await ask("api/decisions", { id: clip.id, decision });
    clip.decision = answer.decision;
    clip.item.dataset.decision = answer.decision || "";
    for (const button of clip.item.querySelectorAll(".choice button"))
      button.setAttribute("aria-pressed", String(button.classList.contains(answer.decision || "-")));
    showCounts(answer.decisions);
    if (decision && byId("onward").checked) move(clip, 1, true);
  });
}

function listen(clip) {
  const again = state.playing === clip && !player.paused;
  silence();
  if (again) return;
  player.src = `audio/${clip.place}.wav`;
  state.playing = clip;
  clip.play.classList.add("on");
  player.play().catch((error) => {  // stopped by the next sound, or no sound device
    silence();
    if (error.name !== "AbortError") attempt(() => { throw new Error(`the sound cannot be played (${error.message})`); });
  });
}

function silence() {
  player.pause();
  if (state.playing) state.playing.play.classList.remove("on");
  state.playing = undefined;
}

function move(from, by, sound) {
  const next = state.clips[state.clips.indexOf(from) + by];
  if (!next) return;
  next.item.focus();
  next.item.scrollIntoView({ block: "nearest" });
  if (sound) listen(next);
}

async function load(start) {
  silence();
  byId("before").disabled = byId("after").disabled = true;  // a second click would turn from the old page
  await attempt(async () => {
    const turn = state.turn = (state.turn || 0) + 1;
    const query = new URLSearchParams({ start, count: COUNT, reason: byId("reason").value });
    if (byId("undecided").checked) query.set("undecided", "1");
    const page = await ask(`api/clips?${query}`);
    if (turn !== state.turn) return;  // another page was asked for meanwhile
    Object.assign(state, { start, total: page.total, clips: page.clips, current: undefined });
    byId("clips").replaceChildren(...page.clips.map(row));
    for (const clip of page.clips) draw(clip.canvas, clip.wave);
    const last = start + page.clips.length;
    byId("empty").hidden = page.total > 0;
    byId("place").textContent = page.total ? `${start + 1} to ${last} of ${page.total}` : "";
    window.scrollTo(0, 0);
  });
  byId("before").disabled = state.start === 0;
  byId("after").disabled = state.start + state.clips.length >= state.total;
}

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
  const clip = state.current || state.clips[0];
  if (!clip || (event.key === " " && event.target.tagName === "BUTTON")) return;
  const done = {
    " ": () => listen(clip), k: () => decide(clip, "keep"), d: () => decide(clip, "drop"),
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
byId("before").addEventListener("click", () => load(Math.max(0, state.start - COUNT)));
// Decided clips have left the list of undecided ones: the next ones have moved to where this page began.
byId("after").addEventListener("click", () => load(byId("undecided").checked
  ? state.start + state.clips.filter((clip) => !clip.decision).length : state.start + COUNT));

attempt(async () => {
  const summary = await ask("api/summary");
  state.file = summary.file;
  document.title = byId("title").textContent = `${summary.data}: ${summary.clips} recordings, the worst first`;
  for (const [reason, clips] of Object.entries(summary.reasons)) {
    const option = make("option", "", `${reason} (${clips})`);
    option.value = reason;
    byId("reason").append(option);
  }
  showCounts(summary.decisions);
  await load(0);
});
