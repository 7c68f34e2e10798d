// The timeline: a row for each word, its posterior over time, and its events.

class Chart {
  constructor(canvas, model) {
    this.canvas = canvas;
    this.model = model;
    this.row = 26;
    canvas.style.height = `${model.keywords.length * this.row + 22}px`;
    this.clear();
  }

  // seconds: of the window that follows live sound; null to show everything
  clear(seconds = 20) {
    this.seconds = seconds;
    this.steps = [];
    this.events = [];
    this.draw();
  }

  push(step) {
    this.steps.push(step);
    if (step.event) this.events.push(step.event);
    if (this.seconds) {
      const first = step.time - this.seconds * this.model.rateHz;
      while (this.steps.length && this.steps[0].time < first) this.steps.shift();
      while (this.events.length && this.events[0].time < first) this.events.shift();
    }
    if (this.steps.length > 20000) this.halve();
    if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
  }

  // Of two neighbours the higher: long files take no more memory, and no more time to draw.
  halve() {
    const higher = (one, other) => one.map((value, k) => Math.max(value, other[k]));
    this.steps = this.steps.flatMap((step, i, all) =>
      i % 2 ? [{ time: step.time, posteriors: higher(step.posteriors, all[i - 1].posteriors) }] : []);
  }

  draw() {
    const { canvas, model, row } = this, scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight, style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name);
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "12px system-ui, sans-serif";
    const left = 12 + Math.max(...model.keywords.map((word) => pen.measureText(word).width));
    const end = this.steps.length ? this.steps[this.steps.length - 1].time : 0;
    const length = this.seconds ? this.seconds * model.rateHz : Math.max(end, model.rateHz);
    const start = this.seconds ? Math.max(end - length, 0) : 0;
    const x = (time) => left + (time - start) / length * (width - left - 4);
    const wide = Math.max(1, Math.ceil(x(model.stepSamples) - x(0)));
    model.keywords.forEach((word, k) => {
      const base = (k + 1) * row;
      pen.fillStyle = color("--soft");
      pen.fillText(word, 4, base - 8);
      pen.fillStyle = color("--line");
      pen.fillRect(left, base - 1, width - left - 4, 1);
      pen.fillStyle = color("--accent");
      for (const [at, value] of this.columns(k, x)) pen.fillRect(at, base - 1 - value * (row - 6), wide, value * (row - 6));
    });
    pen.fillStyle = color("--good");
    for (const { time, keyword } of this.events) {
      pen.fillRect(x(time) - 1, keyword * row + 2, 3, row - 3);
    }
    pen.fillStyle = color("--soft");
    const tick = Math.max(1, Math.ceil(length / model.rateHz / 8));
    for (let s = Math.ceil(start / model.rateHz / tick) * tick; s * model.rateHz < start + length; s += tick) {
      pen.fillText(clock(s), x(s * model.rateHz), height - 6);
    }
  }

  // [x, highest posterior 0..1] of each column of pixels
  columns(keyword, x) {
    const highest = new Map();
    for (const { time, posteriors } of this.steps) {
      const at = Math.floor(x(time));
      highest.set(at, Math.max(highest.get(at) || 0, posteriors[keyword] / 1000));
    }
    return highest;
  }
}

function clock(seconds, digits = 0) {
  const whole = Math.floor(seconds / 60), rest = (seconds - 60 * whole).toFixed(digits);
  return `${whole}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}
