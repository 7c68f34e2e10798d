// Samples -> scores and events: the module of web.c. The page and the audio thread both run this text.

class Engine {
  // instance: of the module. onStep: called after each step with {time, posteriors, means, event}, or null.
  constructor(instance, model) {
    this.c = instance.exports;
    this.model = model;
    this.fnv = 0x811c9dc5; // FNV-1a, 32 bits, of all scores in order
    this.steps = this.samples = 0;
    this.c.begin();
  }

  threshold(keyword, permille) {
    this.c.threshold(keyword, permille);
  }

  // int16 samples at model.rateHz, any number; a block of at most one hop makes at most one step
  push(samples, onStep) {
    for (let at = 0; at < samples.length; at += this.model.hop) {
      const block = samples.subarray(at, at + this.model.hop);
      new Int16Array(this.c.memory.buffer, this.c.samples(), block.length).set(block);
      const isStep = this.c.push(block.length);
      this.samples += block.length;
      if (isStep) onStep(this.step());
    }
  }

  step() {
    const { keywords, labels } = this.model, memory = this.c.memory.buffer;
    for (const score of new Uint8Array(memory, this.c.scores(), labels)) {
      this.fnv = Math.imul(this.fnv ^ score, 0x01000193) >>> 0;
    }
    const list = (place) => Array.from(new Uint16Array(memory, place, keywords.length));
    const posteriors = list(this.c.posteriors()), means = list(this.c.means()), place = this.c.event();
    this.steps++;
    return { time: this.samples, posteriors, means, event: place ? this.event(place) : null };
  }

  event(place) {
    const [low, high, keyword, score] = new Uint32Array(this.c.memory.buffer, place, 4);
    return { time: high * 2 ** 32 + low, keyword, score };
  }
}

// Floats in +-1 -> int16, as edgekws reads sound.
function int16(floats) {
  return Int16Array.from(floats, (x) => Math.max(-32768, Math.min(32767, Math.round(x * 32768))));
}

// Any rate -> another, block by block: a sinc under a Kaiser window, one row of taps for each phase.
class Resampler {
  constructor(from, to) {
    const divisor = ((a, b) => { while (b) [a, b] = [b, a % b]; return a; })(from, to);
    this.up = to / divisor;
    this.down = from / divisor;
    const band = Math.min(1, to / from) * 0.95, half = Math.ceil(20 / band);
    this.taps = 2 * half;
    this.table = Array.from({ length: this.up }, (_, phase) => Resampler.row(half, phase / this.up, band));
    this.held = new Float32Array(half - 1);
    this.phase = 0;
  }

  static row(half, fraction, band) {
    const bessel = (x) => { let sum = 1, term = 1; for (let k = 1; k < 30; k++) sum += term *= (x / 2 / k) ** 2; return sum; };
    const row = Float32Array.from({ length: 2 * half }, (_, i) => {
      const x = i - half + 1 - fraction, window = bessel(8 * Math.sqrt(Math.max(0, 1 - (x / half) ** 2)));
      return (x ? Math.sin(Math.PI * band * x) / (Math.PI * x) : band) * window;
    });
    const sum = row.reduce((total, value) => total + value, 0);
    return row.map((value) => value / sum);
  }

  push(block) {
    const input = new Float32Array(this.held.length + block.length), output = [];
    input.set(this.held);
    input.set(block, this.held.length);
    let start = 0;
    while (start + this.taps <= input.length) {
      const row = this.table[this.phase];
      let sum = 0;
      for (let i = 0; i < this.taps; i++) sum += row[i] * input[start + i];
      output.push(sum);
      this.phase += this.down;
      start += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    this.held = input.slice(start);
    return Float32Array.from(output);
  }
}
