"""A host program for MLPerf Tiny's keyword spotting, as someone else would write it: only the published protocol.

It stands for the programs that edgekws does not know. So it imports nothing of edgekws, opens its ports with plain
pyserial, waits for each line as long as the runner of mlcommons/tiny does (5 s, 30 s during `infer`), sends chunks of
31 bytes (26 beside a meter), and writes the runner's session folder: log.txt, results.txt, results.json.

    python host_program.py MODE --clips FOLDER --out FOLDER --dut PORT [--infer N W] [--files N]
    python host_program.py energy ... --interface PORT --meter PORT --volts 3.0
"""

import argparse
import csv
import json
import queue
import re
import statistics
import threading
import time
from pathlib import Path

import serial

LINE_S, INFER_S, NAME_TRIES, LOOPS = 5.0, 30.0, 3, 5


class Host:
    """Talks to a device that ends every answer with m-ready."""

    def __init__(self, path, baud, log):
        self.port = serial.Serial(path, baud, timeout=0.1)
        self.log = log
        self.received = b""

    def line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.received:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no line within {seconds} s; so far {self.received!r}")
            self.received += self.port.read(max(1, self.port.in_waiting))
        line, self.received = self.received.split(b"\n", 1)
        text = line.decode().strip("\r\0")
        self.log.append(f"< {text}")
        return text

    def ask(self, command, seconds=LINE_S):
        self.log.append(f"> {command}%")
        self.port.write(f"{command}%".encode())
        return self.until_ready(seconds)

    def until_ready(self, seconds):
        lines = []
        while True:
            lines.append(self.line(seconds))
            if "m-ready" in lines[-1]:
                return lines


class BehindInterface(Host):
    """A device behind MLCommons' interface board."""

    def ask(self, command, seconds=LINE_S):
        passed = super().ask(f"dut {command}")
        if len(passed) != 2 or passed[1] != "m-ready":
            raise RuntimeError(f"the interface board should pass {command} on, not say {passed}")
        lines = []
        while not lines or lines[-1] != "m-ready":
            lines.append(self.line(seconds).removeprefix("[dut]: "))
        return lines

    def sync_baud(self, baud):
        super().ask(f"setbaud {baud}")
        answer = " ".join(super().ask("checkbaud"))
        if f"{baud}" not in answer:
            raise RuntimeError(f"the interface board should have {baud} baud, not say {answer}")


class Meter:
    """An X-NUCLEO-LPM01A, as the runner of mlcommons/tiny drives it."""

    SETUP = (
        "htc", 'lcd 1 "MLPerf Tiny"', "pwr off", "acqtime inf", "trigdelay 0", "trigsrc sw", "eventsrc d7 fal",
        "output energy", "format ascii_dec", "freq 1k",
    )  # fmt: skip

    def __init__(self, path, volts):
        self.port = serial.Serial(path, 3_686_400, timeout=0.05)
        self.volts = volts
        self.samples, self.events = [], []  # since the last collected()
        self.messages = queue.Queue()
        self.running = True
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        for command in (*self.SETUP, f"volt {round(volts * 1000)}m"):
            self.ask(command)

    def read(self):
        """The stream does not wait for anybody: a thread of its own reads it."""
        rest = b""
        while self.running:
            *lines, rest = (rest + self.port.read(max(1, self.port.in_waiting))).split(b"\n")
            for line in lines:
                self.take(line.decode().strip("\0\r "))

    def take(self, line):
        if match := re.fullmatch(r"(\d{4})([-+]\d\d)", line):
            self.samples.append(int(match[1]) * 10.0 ** int(match[2]))
        elif match := re.match(r"event (\d+) ris", line):
            self.events.append([match[1], len(self.samples)])
        elif line and not line.startswith("TimeStamp"):
            self.messages.put(line)

    def wait_for(self, text):
        while text not in (message := self.messages.get(timeout=LINE_S)):
            if "error" in message:
                raise RuntimeError(f"the meter should say {text}, not {message}")

    def ask(self, command):
        self.port.write(f"{command}\r\n".encode())
        self.wait_for(f"ack {command}")

    def start(self):
        self.ask("pwr on nostatus")
        time.sleep(1.0)  # the device boots
        self.ask("start")

    def stop(self):
        self.port.write(b"stop\r\n")
        self.wait_for("Acquisition completed")
        self.ask("pwr off")
        self.ask("hrc")
        self.close()

    def close(self):
        self.running = False
        self.thread.join()

    def collected(self):
        """(samples in joules per ms, [[event, sample index]]) since the last call."""
        samples, events = self.samples, self.events
        self.samples, self.events = [], []
        return samples, events


def first(pattern, lines):
    found = [match[1] for line in lines if (match := re.match(pattern, line))]
    if not found:
        raise RuntimeError(f"{pattern} should be answered, not {lines}")
    return found


def identify(dut):
    """(vendor and board, model)"""
    for _ in range(NAME_TRIES - 1):
        try:
            return names(dut)
        except RuntimeError as error:
            dut.log.append(f"again, because {error}")
    return names(dut)


def names(dut):
    name = first(r"^m-name-dut-\[([^]]+)]$", dut.ask("name"))[0]
    return name, first(r"^m-model-\[([^]]+)]$", dut.ask("profile"))[0]


def load(dut, content, chunk):
    dut.ask(f"db load {len(content)}")
    for start in range(0, len(content), chunk):
        answer = dut.ask(f"db {content[start : start + chunk].hex()}")
    if "m-load-done" not in answer:
        raise RuntimeError(f"the last bytes should be answered by m-load-done, not {answer}")


def infer(dut, number, warmups, timed):
    lines = dut.ask(f"infer {number} {warmups}", INFER_S)
    answer = {"results": [float(word) for word in first(r"^m-results-\[([^]]+)\]$", lines)[0].split(",")]}
    if timed:
        start, end = (int(text) for text in first(r"^m-lap-us-([0-9]+)$", lines))
        answer |= {"start_time": start, "end_time": end, "elapsed_time": end - start}
    return answer | {"iterations": number, "warmups": warmups, "total_inferences": 1}


def area(scores, positive):
    """Area under the ROC curve of one class, by ranks."""
    inside = [score for score, is_one in zip(scores, positive, strict=True) if is_one]
    outside = [score for score, is_one in zip(scores, positive, strict=True) if not is_one]
    wins = sum((a > b) + 0.5 * (a == b) for a in inside for b in outside)
    return wins / (len(inside) * len(outside))


def accuracy_lines(rows):
    correct, scores, labels = 0, [], [int(row["class"]) for row in rows]
    for row, label in zip(rows, labels, strict=True):
        results = row["infer"]["results"]
        correct += max(range(len(results)), key=results.__getitem__) == label
        scores.append([value / sum(results) for value in results])
    classes = sorted(set(labels))
    areas = [area([score[one] for score in scores], [label == one for label in labels]) for one in classes]
    return [f"Top 1% = {100 * correct / len(rows):2.1f}", f"AUC = {statistics.mean(areas):.3f}"]


def performance_lines(rows):
    for row in rows:
        row["infer"]["throughput"] = row["infer"]["iterations"] / (row["infer"]["elapsed_time"] / 1e6)
    middle = statistics.median(row["infer"]["throughput"] for row in rows)
    return [f"Median throughput is {middle:>10.3f} inf./sec."]


def energy_lines(rows):
    costs, lines = [], []
    for number, row in enumerate(rows):
        begin, end = (index for _, index in row["power"]["timestamps"][-2:])
        costs.append(1e6 * sum(row["power"]["samples"][begin:end]) / row["infer"]["iterations"])
        lines += [f"Energy data for trial {number}", f"  Elapsed time  : {(end - begin) / 1000}"]
        lines += [f"  Inferences    : {row['infer']['iterations']}", f"  Energy/Inf    : {costs[-1]:.3f} uJ/inf"]
    return [*lines, f"Median energy cost is {statistics.median(costs):5.4f} uJ/inf."]


LINES = {"accuracy": accuracy_lines, "performance": performance_lines, "energy": energy_lines}


def run(options, log):
    with (options.clips / "y_labels.csv").open() as file:
        truth = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    count = options.files or (len(truth) if options.mode == "accuracy" else LOOPS)
    number, warmups = options.infer
    meter = Meter(options.meter, options.volts) if options.mode == "energy" else None
    if meter:
        meter.start()
        dut = BehindInterface(options.interface, 115_200, log)
        dut.sync_baud(9600)
    else:
        dut = Host(options.dut, options.baud, log)
    time.sleep(2)
    name, model = identify(dut)
    log.append(f"{name}, {model}")
    rows = []
    for file, classes, label in truth[:count]:
        load(dut, (options.clips / file).read_bytes(), 26 if meter else 31)
        row = {"file": file, "classes": classes, "class": label, "total_length": None}
        row["infer"] = infer(dut, number, warmups, timed=not meter)
        if meter:
            samples, events = meter.collected()
            row["power"] = {"samples": samples, "timestamps": events, "extracted_power": None, "voltage": meter.volts}
        rows.append(row | {"mode": options.mode[0]})
    if meter:
        meter.stop()
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=LINES)
    for name in ("--clips", "--out"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--dut", "--interface", "--meter"):
        parser.add_argument(name)
    parser.add_argument("--baud", type=int, default=115_200)
    parser.add_argument("--volts", type=float, default=3.0)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--infer", type=int, nargs=2, default=(1, 0))
    options = parser.parse_args()
    log = []
    try:
        rows = run(options, log)
        lines = LINES[options.mode](rows)
    finally:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "log.txt").write_text("\n".join(log) + "\n")
    prefix = time.strftime("%m%d.%H%M%S ulp-mlperf: ")
    (options.out / "results.txt").write_text("".join(f"{prefix}{line}\n" for line in lines))
    (options.out / "results.json").write_text(json.dumps(rows))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
