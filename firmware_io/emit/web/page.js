// The page: microphone, files, thresholds, and what is shown of them.

const $ = (id) => document.getElementById(id);
const model = JSON.parse($("model").textContent);
const bytes = Uint8Array.from(atob($("module").textContent.trim()), (c) => c.charCodeAt(0));
const thresholds = [...model.thresholds];
const chart = new Chart($("timeline"), model);
let live = null; // {context, node, track, stream} while the microphone is heard
let busy = false;

function say(text, isFault = false) {
  $("status").textContent = text;
  $("status").className = isFault ? "fault" : "";
}

function note(id, text) {
  $(id).textContent = text;
  $(id).hidden = !text;
}

function element(name, text = "", properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...properties });
}

// The rows of words: the mean posterior against a threshold that a slider sets.
const words = model.keywords.map((word, k) => {
  const row = element("div", "", { className: "word" }), bar = element("div", "", { className: "bar" });
  const fill = element("i"), value = element("output", "0.00");
  const slider = element("input", "", { type: "range", min: 1, max: model.never, value: thresholds[k] });
  const shown = element("span", "", { className: "soft" });
  slider.setAttribute("aria-label", `threshold of ${word}`);
  const show = () => (shown.textContent = thresholds[k] === model.never ? "off" : `≥ ${(thresholds[k] / 1000).toFixed(2)}`);
  slider.oninput = () => {
    thresholds[k] = Number(slider.value);
    if (live) live.node.port.postMessage({ threshold: [k, thresholds[k]] });
    show();
  };
  show();
  bar.append(fill, slider);
  row.append(element("b", word), bar, value, shown);
  $("words").append(row);
  return { row, fill, value };
});

function clear(seconds) {
  $("events").replaceChildren();
  for (const id of ["rate", "granted", "dropped", "clipped"]) note(id, "");
  chart.clear(seconds);
}

function showStep(step) {
  chart.push(step);
  const best = step.means.indexOf(Math.max(...step.means));
  step.means.forEach((mean, k) => {
    words[k].fill.style.width = `${mean / 10}%`;
    words[k].value.textContent = (mean / 1000).toFixed(2);
    words[k].row.classList.toggle("top", k === best && mean > 100);
  });
  if (step.event) showEvent(step.event);
}

function showEvent({ time, keyword, score }) {
  const row = element("tr");
  row.append(
    element("td", clock(time / model.rateHz, 2)),
    element("td", model.keywords[keyword]),
    element("td", (score / 1000).toFixed(2)),
  );
  $("events").prepend(row);
  while ($("events").children.length > 200) $("events").lastChild.remove();
}

function showLevel({ peak, clipped, dropped }) {
  const decibels = 20 * Math.log10(Math.max(peak, 1e-5));
  $("level").style.width = `${Math.max(0, 100 + decibels * 5 / 3)}%`;
  $("level").className = peak > 0.9 ? "loud" : "";
  $("decibels").textContent = `${decibels.toFixed(0)} dB`;
  if (clipped) note("clipped", `clipped: ${clipped.toLocaleString()} samples at full scale; turn the microphone down`);
  if (dropped) note("dropped", `dropped: ${dropped.toLocaleString()} samples did not arrive, and are heard as silence`);
}

// The context and a node of the audio thread that listens.
async function opened(rate) {
  const context = rate ? new AudioContext({ sampleRate: rate }) : new AudioContext();
  const text = $("engine").textContent + $("worklet").textContent;
  await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(text)}`); // file:// refuses a blob
  const processorOptions = { bytes, model, thresholds, rate: context.sampleRate };
  return { context, node: new AudioWorkletNode(context, "listener", { processorOptions }) };
}

// Some browsers connect a microphone only to a context of its own rate: then the page resamples.
async function connected(stream) {
  const made = await opened(model.rateHz);
  try {
    return attached(made, stream);
  } catch (error) {
    await made.context.close();
    if (error.name !== "NotSupportedError") throw error;
    return attached(await opened(0), stream);
  }
}

function attached(made, stream) {
  made.context.createMediaStreamSource(stream).connect(made.node).connect(made.context.destination);
  return made;
}

const OFF = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

async function listen() {
  if (!navigator.mediaDevices) throw new Error("this browser gives no microphone to this page: open it from a file or from localhost");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { ...OFF, channelCount: 1 } });
  const track = stream.getAudioTracks()[0];
  const made = await connected(stream).catch((error) => {
    track.stop();
    throw error;
  });
  clear(20);
  live = { ...made, stream, track };
  track.onended = () => stop("the microphone is gone");
  made.node.port.onmessage = ({ data }) => {
    if (!live || !data.step) return;
    showStep(data.step);
    showLevel(data);
  };
  made.node.onprocessorerror = () => stop("the audio thread failed");
  await made.context.resume();
  note("rate", resampled(made.context.sampleRate, track.getSettings().sampleRate));
  note("granted", granted(track.getSettings()));
  $("listen").textContent = "Stop";
  say(`listening to ${track.label || "the microphone"}`);
}

function resampled(contextHz, microphoneHz) {
  if (contextHz !== model.rateHz) return `resampled by this page from ${contextHz.toLocaleString()} Hz`;
  return microphoneHz && microphoneHz !== contextHz ? `resampled by the browser from ${microphoneHz.toLocaleString()} Hz` : "";
}

function granted(settings) {
  const names = { echoCancellation: "echo cancellation", noiseSuppression: "noise suppression", autoGainControl: "automatic gain" };
  const on = Object.keys(OFF).filter((key) => settings[key]).map((key) => names[key]);
  const given = `${(settings.sampleRate || 0).toLocaleString()} Hz, ${settings.channelCount || 1} channel(s)`;
  return on.length ? `the browser left on: ${on.join(", ")}; words may sound different (${given})` : `granted: ${given}, nothing added`;
}

function stop(text, isFault = true) {
  if (!live) return;
  live.stream.getTracks().forEach((track) => track.stop());
  live.context.close();
  live = null;
  $("listen").textContent = "Listen";
  say(text, isFault);
}

// A file: decoded by the browser at the model's rate, then through an engine of its own.
async function readFile(file) {
  if (busy) return;
  busy = true;
  stop("", false);
  say(`reading ${file.name}`);
  try {
    const decoder = new OfflineAudioContext(1, 1, model.rateHz);
    const sound = await decoder.decodeAudioData(await file.arrayBuffer());
    const channels = Array.from({ length: sound.numberOfChannels }, (_, c) => sound.getChannelData(c));
    const mono = channels.length === 1 ? channels[0] : channels[0].map((_, i) => channels.reduce((sum, c) => sum + c[i], 0) / channels.length);
    clear(null);
    const made = await run(int16(mono), (done) => say(`${file.name}: ${clock(done / model.rateHz)} of ${clock(mono.length / model.rateHz)}`));
    say(`${file.name}: ${clock(mono.length / model.rateHz, 1)}, ${made.events.length} events`);
  } catch (error) {
    say(`${file.name} is no sound that this browser reads (${error.message})`, true);
  } finally {
    busy = false;
  }
}

async function run(samples, report) {
  const { instance } = await WebAssembly.instantiate(bytes), engine = new Engine(instance, model), events = [];
  thresholds.forEach((value, k) => engine.threshold(k, value));
  for (let at = 0; at < samples.length; at += model.rateHz * 5) {
    engine.push(samples.subarray(at, at + model.rateHz * 5), (step) => {
      showStep(step);
      if (step.event) events.push(step.event);
    });
    report(Math.min(at + model.rateHz * 5, samples.length));
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { steps: engine.steps, hash: engine.fnv, events };
}

$("listen").onclick = async () => {
  if (live) return stop("stopped", false);
  $("listen").disabled = true;
  try {
    await listen();
  } catch (error) {
    say(error.name === "NotAllowedError" ? "the microphone was not allowed: allow it for this page, then press Listen again" : error.message, true);
  }
  $("listen").disabled = false;
};
$("file").onchange = () => $("file").files[0] && readFile($("file").files[0]);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) readFile(event.dataTransfer.files[0]);
});
addEventListener("resize", () => chart.draw());

for (const [what, value, how] of model.card) {
  const cell = element("dd", value);
  if (how) cell.append(" ", element("span", how, { className: "how" }));
  $("card").append(element("dt", what), cell);
}

// For tests: samples through the audio thread, whatever the microphone does.
window.edgekws = {
  async post(pcm, limits = thresholds) {
    const { context, node } = await opened(model.rateHz);
    const answer = new Promise((resolve) => (node.port.onmessage = ({ data }) => data.answer && resolve(data.answer)));
    node.port.postMessage({ pcm: Int16Array.from(pcm), thresholds: limits });
    return answer.finally(() => context.close());
  },
};
