// The audio thread: blocks of the microphone in, a message for each step out.

registerProcessor("listener", class extends AudioWorkletProcessor {
  constructor({ processorOptions: { bytes, model, rate, thresholds } }) {
    super();
    this.model = model;
    this.make = () => new Engine(new WebAssembly.Instance(this.module), model);
    this.module = new WebAssembly.Module(bytes);
    this.engine = this.make();
    thresholds.forEach((value, keyword) => this.engine.threshold(keyword, value));
    this.resampler = rate === model.rateHz ? null : new Resampler(rate, model.rateHz);
    this.next = -1;
    this.dropped = this.peak = this.clipped = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take({ threshold, pcm, thresholds }) {
    if (threshold) this.engine.threshold(...threshold);
    if (pcm) this.answer(pcm, thresholds);
  }

  // Samples of a test: an engine of their own, and all that it gives.
  answer(pcm, thresholds) {
    const engine = this.make(), events = [];
    thresholds.forEach((value, keyword) => engine.threshold(keyword, value));
    engine.push(pcm, ({ event }) => event && events.push(event));
    this.port.postMessage({ answer: { steps: engine.steps, hash: engine.fnv, events } });
  }

  process([channels]) {
    const count = channels.length ? channels[0].length : 128;
    if (channels.length || this.next >= 0) {
      // Frames that the thread did not get, and blocks that the microphone did not fill, are heard as silence.
      const missed = this.next < 0 ? 0 : currentFrame - this.next;
      if (missed > 0) this.lose(missed);
      if (channels.length) this.hear(this.mixed(channels));
      else this.lose(count);
      this.next = currentFrame + count;
    }
    return true;
  }

  lose(frames) {
    this.dropped += frames;
    this.hear(new Float32Array(frames));
  }

  mixed(channels) {
    if (channels.length === 1) return channels[0];
    return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
  }

  hear(block) {
    for (const x of block) {
      const size = Math.abs(x);
      if (size > this.peak) this.peak = size;
      if (size >= 0.9999) this.clipped++;
    }
    this.engine.push(int16(this.resampler ? this.resampler.push(block) : block), (step) => {
      const { peak, clipped, dropped } = this;
      this.port.postMessage({ step, peak, clipped, dropped });
      this.peak = 0;
    });
  }
});
