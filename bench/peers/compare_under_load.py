#!/usr/bin/env python3
"""Training and single-image speed on a quiet machine, beside one busy loop, beside two, as tables.

Each load runs all contenders in turns, each in a new process: programs given as NAME=BINARY (a build of today's code and
one of before, say), and PyTorch if it is asked for. A busy loop is a process that does nothing but count.
Training: images/s of the second epoch, as compare_training.py takes them, the median over the rounds. Latency:
milliseconds an image, one at a time on the dense engine: median, mean and 99th percentile of all samples of all rounds.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

import compare_training
import options as command_line
import rounds
import table

TRAININGS = ("128x2", "128x1", "32x2", "32x1")
TRAINING_COLUMNS = [
    table.Column("batch", "batch"),
    table.Column("threads", "threads"),
    table.Column("program", "program"),
    table.Column("busy loops", "busy_loops"),
    table.Column("images/s", "images_per_second", 0),
    table.Column("lowest", "lowest", 0),
    table.Column("highest", "highest", 0),
    table.Column("share of quiet", "share_of_quiet", 2),
]
LATENCY_COLUMNS = [
    table.Column("threads", "threads"),
    table.Column("program", "program"),
    table.Column("busy loops", "busy_loops"),
    table.Column("median ms", "median_ms", 3),
    table.Column("mean ms", "mean_ms", 3),
    table.Column("p99 ms", "p99_ms", 3),
    table.Column("median, times quiet", "times_quiet", 2),
]
BUSY_LOOP = "while True: pass"


@contextlib.contextmanager
def busy_loops(count):
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(count)]
    try:
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def training_rows(options, batch, threads):
    contenders = {name: lambda binary=binary: edgeprune_speed(options, binary, batch, threads)
                  for name, binary in options.program}
    if options.pytorch:
        contenders["PyTorch"] = lambda: compare_training.pytorch(options, batch, threads)[0]["images_per_second"]
    rows, quiet = [], {}
    for loops in options.loops:
        with busy_loops(loops):
            results = rounds.interleave(contenders, options.rounds, report(f"batch {batch}, {threads} threads", loops))
        for name, speeds in results.items():
            median = statistics.median(speeds)
            if loops == 0:
                quiet[name] = median
            rows.append({"batch": batch, "threads": threads, "program": name, "busy_loops": loops,
                         "images_per_second": median, "lowest": min(speeds), "highest": max(speeds),
                         "share_of_quiet": median / quiet[name] if name in quiet else None})
    return rows


def edgeprune_speed(options, binary, batch, threads):
    options.edgeprune = binary
    return compare_training.edgeprune(options, batch, threads)[0]["images_per_second"]


def latency_rows(options, model, threads):
    contenders = {name: lambda binary=binary: latency_samples(options, binary, model, threads)
                  for name, binary in options.program}
    if options.pytorch:
        contenders["PyTorch"] = lambda: pytorch_latency_samples(options, threads)
    rows, quiet = [], {}
    for loops in options.loops:
        with busy_loops(loops):
            results = rounds.interleave(contenders, options.rounds)
        for name, runs in results.items():
            samples = sorted(sample for run in runs for sample in run)
            median = statistics.median(samples)
            if loops == 0:
                quiet[name] = median
            rows.append({"threads": threads, "program": name, "busy_loops": loops, "median_ms": median,
                         "mean_ms": statistics.mean(samples), "p99_ms": samples[int(0.99 * (len(samples) - 1))],
                         "times_quiet": median / quiet[name] if name in quiet else None})
    return rows


def latency_samples(options, binary, model, threads):
    """Milliseconds an image; a sample lasts at least a millisecond, that is a few images."""
    with tempfile.TemporaryDirectory(prefix="edgeprune-peers-") as folder:
        lines = pathlib.Path(folder) / "samples.jsonl"
        rounds.run([binary, "latency", "--model", model, "--engine", "dense", "--batch", 1, "--threads", threads,
                    "--seconds", options.seconds, "--samples", lines, "--format", "json"], threads)
        return [sample for line in lines.read_text().splitlines() for sample in json.loads(line)["samples_ms"]]


def pytorch_latency_samples(options, threads):
    script = pathlib.Path(__file__).with_name("pytorch_latency.py")
    run = rounds.run([sys.executable, script, "--weights", options.weights, "--threads", threads,
                      "--seconds", options.seconds, "--layout", options.layout], threads)
    return run.output["samples_ms"]


def report(what, loops):
    def say(number, results):
        speeds = ", ".join(f"{name} {speed:.0f}" for name, speed in results.items())
        print(f"{what}, {loops} busy loops, round {number}: {speeds} images/s", file=sys.stderr)
    return say


def program(text):
    name, equals, binary = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=BINARY")
    return name, binary


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=program, action="append", required=True, metavar="NAME=BINARY",
                        help="an edgeprune to measure; may be given several times")
    parser.add_argument("--pytorch", action="store_true", help="measure it, too")
    parser.add_argument("--loops", type=int, nargs="+", default=[0, 1, 2], help="busy loops beside (default: 0 1 2)")
    parser.add_argument("--config", type=command_line.configuration, nargs="+", metavar="BATCHxTHREADS",
                        help=f"of training (default: {' '.join(TRAININGS)})")
    parser.add_argument("--steps", type=command_line.positive, default=10, help="timed ones a run (default: 10)")
    parser.add_argument("--seconds", type=float, default=3, help="of latency a run (default: 3)")
    parser.add_argument("--latency-threads", type=command_line.positive, nargs="*", default=[1, 2])
    parser.add_argument("--model", help="checkpoint whose latency is measured; without one, none is")
    parser.add_argument("--rounds", type=command_line.positive, default=5, help="runs of each, in turns (default: 5)")
    parser.add_argument("--format", choices=table.FORMATS, default="md", help="of the tables (default: md)")
    command_line.add_training(parser)
    return parser.parse_args(words)


def main():
    options = arguments(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: takes the running contender along
    for _, binary in options.program:
        command_line.require_program(binary, "build edgeprune")
    if options.model and not os.path.isfile(options.model):
        raise ValueError(f"{options.model}: no such checkpoint")
    if options.model:
        rows = [row for threads in options.latency_threads for row in latency_rows(options, options.model, threads)]
        print(table.render(LATENCY_COLUMNS, rows, options.format), flush=True)
    chosen = options.config or [command_line.configuration(text) for text in TRAININGS]
    rows = [row for batch, threads in chosen for row in training_rows(options, batch, threads)]
    print(table.render(TRAINING_COLUMNS, rows, options.format), end="")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, rounds.RunFailed) as error:
        sys.exit(f"compare_under_load.py: {error}")
    except KeyboardInterrupt:
        sys.exit("compare_under_load.py: interrupted")
