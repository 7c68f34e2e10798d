"""The fixed-point front end of one frame in plain Python integers, every one held to int32."""

import numpy as np

from edgekws.features.integer.arithmetic import LOG, SQRT, q15


def int32(value):
    value = int(value)
    assert -(2**31) <= value < 2**31
    return value


def mul(a, c):
    return int32(int32(a) * int(c) >> 16)


def bits(value):
    return value.bit_length()


def ones(value):
    return value if value >= 0 else -value - 1


def log2(value):
    exponent = bits(value) - 1
    fraction = (value << 16 >> exponent) & 0xFFFF
    at, rest = fraction >> 10, fraction & 1023
    return (exponent << 16) + fraction + int(LOG[at]) + ((int(LOG[at + 1]) - int(LOG[at])) * rest >> 10)


def fft(plan, real, imaginary):
    for stage in plan.stages:
        leg = stage.length // stage.radix
        for start in range(0, plan.points, stage.length):
            for at in range(leg):
                places = [start + m * leg + at for m in range(stage.radix)]
                x = [complex(real[p], imaginary[p]) for p in places]
                for m, place in enumerate(places):
                    turns = [(-1j) ** (m * k % 4) if stage.radix == 4 else (-1) ** (m * k) for k in range(stage.radix)]
                    total = sum(a * b for a, b in zip(x, turns, strict=True))
                    r, i = int32(total.real), int32(total.imag)
                    if stage.is_last:
                        real[place], imaginary[place] = r, i
                    elif m == 0 or at == 0:
                        real[place], imaginary[place] = r >> 1, i >> 1
                    else:
                        c, s = stage.cosine[m - 1, at], stage.sine[m - 1, at]
                        real[place], imaginary[place] = int32(mul(r, c) + mul(i, s)), int32(mul(i, c) - mul(r, s))
    by_frequency = sorted(range(plan.points), key=lambda place: plan.order[place])
    return [real[p] for p in by_frequency], [imaginary[p] for p in by_frequency]


def magnitude(plan, real, imaginary):
    a, b = ones(real), ones(imaginary)
    left = 31 - max(bits(a | b), 1)
    square = int32(((a << left) >> 16) ** 2 + ((b << left) >> 16) ** 2)
    at, fraction = square >> 24, (square >> 8) & 0xFFFF
    step = int(SQRT[at + 1]) - int(SQRT[at])
    return int32((int(SQRT[at]) << (15 - plan.guard)) + (step * fraction >> (1 + plan.guard))) >> left


def bin_of(plan, real, imaginary, k):
    points = plan.transform.points
    c, s = (int(q15(f(np.pi / points * k))) for f in (np.cos, np.sin))
    (a, b), (d, e) = (real[k], imaginary[k]), (real[points - k], imaginary[points - k])
    even_r, even_i, odd_r, odd_i = int32(a + d), int32(b - e), int32(b + e), int32(d - a)
    return (even_r >> 1) + mul(odd_r, c) + mul(odd_i, s), (even_i >> 1) + mul(odd_i, c) - mul(odd_r, s)


def cepstrum(plan, frame, peak):
    """int16 samples of a window, and the peak that they are divided by -> the sums of the DCT."""
    frame = [int(x) for x in frame]
    exponent = 15 - max(bits(ones(x)) for x in frame)
    data = [mul(x << (exponent + plan.data_shift), w) for x, w in zip(frame, plan.window, strict=True)]
    data += [0] * (2 * plan.transform.points - len(data))
    real, imaginary = fft(plan.transform, data[0::2], data[1::2])
    bands, count = [0] * (len(plan.dct) + 2), len(plan.dct)
    for k, band, rise in zip(range(plan.bins[0], plan.bins[1] + 1), plan.band, plan.rise, strict=True):
        m = magnitude(plan, *map(int32, bin_of(plan, real, imaginary, k)))
        bands[band + 1] = int32(bands[band + 1] + mul(m, rise))
        bands[band] = int32(bands[band] + (m >> 1) - mul(m, rise))
    floor = max(1, peak * plan.floor_factor >> (plan.floor_shift - exponent))
    level = ((exponent + plan.mel_unit) << 16) + log2(peak)
    logs = [int32((log2(int32(band + floor)) - level) << plan.log_shift) for band in bands[1:-1]]
    sums = []
    for order in range(plan.dct.shape[1]):
        total = mul(logs[count // 2], plan.dct[count // 2, order]) if count % 2 else 0
        for b in range(count // 2):
            other = logs[count - 1 - b]
            total = int32(total + mul(logs[b] + (-other if order % 2 else other), plan.dct[b, order]))
        sums.append(total)
    return sums
