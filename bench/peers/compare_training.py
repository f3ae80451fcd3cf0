#!/usr/bin/env python3
"""Training speed of edgeprune and PyTorch, measured in turns, as a table.

A round trains both, one after the other, each in a new process, for two epochs over the same steps x batch images
(--limit of both takes the same ones): the first epoch is the warm-up, the second one counts. edgeprune's images/s
include its data loader, which works beside the training; PyTorch gets its batches ready-made, off the clock
(pytorch_train.py), and glibc is told to keep its memory between steps. The ratio is that of the medians; its lowest and
highest are those of single rounds. Memory is the largest resident set of the whole process, without PyTorch's ready-
made batches.
"""

import argparse
import importlib.util
import os
import pathlib
import signal
import statistics
import sys
import tempfile

import options as command_line
import rounds
import table

PEER = pathlib.Path(__file__).with_name("pytorch_train.py")
CONFIGURATIONS = ("128x2", "32x2", "128x1")
COLUMNS = [
    table.Column("input", "input"),
    table.Column("batch", "batch"),
    table.Column("threads", "threads"),
    table.Column("edgeprune images/s", "edgeprune_images_per_second", 0),
    table.Column("PyTorch images/s", "pytorch_images_per_second", 0),
    table.Column("ratio", "ratio", 2),
    table.Column("lowest", "lowest_ratio", 2),
    table.Column("highest", "highest_ratio", 2),
    table.Column("edgeprune MiB", "edgeprune_mib", 0),
    table.Column("PyTorch MiB", "pytorch_mib", 0),
    table.Column("loader wait %", "loader_wait_percent", 2),
    table.Column("edgeprune loss", "edgeprune_loss", 3),
    table.Column("PyTorch loss", "pytorch_loss", 3),
]


def training_options(options, batch, threads):
    """Both take them."""
    return ["--data", options.data, "--weights", options.weights, "--seed", options.seed, "--epochs", 2,
            "--input-size", options.input_size, "--limit", options.steps * batch, "--batch", batch, "--threads", threads]


def edgeprune(options, batch, threads):
    """(the last epoch, peak MiB)"""
    with tempfile.TemporaryDirectory(prefix="edgeprune-peers-") as folder:
        result = rounds.run([options.edgeprune, "train", *training_options(options, batch, threads),
                             "--out", pathlib.Path(folder) / "model.safetensors", "--format", "json"], threads)
    return result.output[-1], result.peak_mib


# glibc gives PyTorch's memory back after every step and takes it anew in the next, which costs a quarter of its speed.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(10**11), "MALLOC_TOP_PAD_": str(2**28)}


def pytorch(options, batch, threads):
    """(the last epoch, peak MiB)"""
    result = rounds.run([sys.executable, PEER, *training_options(options, batch, threads),
                         "--layout", options.layout], threads, KEEP_MEMORY)
    return result.output["epochs"][-1], result.output["peak_mib"]


def compare(contenders, count, side, batch, threads):
    """A row of the table. `contenders` are functions that give (epoch, peak MiB) for images of `side` pixels a side."""
    def say(number, results):
        speeds = ", ".join(f"{name} {epoch['images_per_second']:.0f}" for name, (epoch, _) in results.items())
        print(f"{side}x{side}, batch {batch}, {threads} threads, round {number}/{count}: {speeds} images/s", file=sys.stderr)

    results = rounds.interleave(contenders, count, say)
    row = {"input": side, "batch": batch, "threads": threads}
    speeds = {}
    for name, runs in results.items():
        speeds[name] = [epoch["images_per_second"] for epoch, _ in runs]
        row[f"{name}_images_per_second"] = statistics.median(speeds[name])
        row[f"{name}_mib"] = statistics.median(peak_mib for _, peak_mib in runs)
        row[f"{name}_loss"] = statistics.median(epoch["training_loss"] for epoch, _ in runs)
    row["loader_wait_percent"] = statistics.median(epoch["loader_wait_percent"] for epoch, _ in results["edgeprune"])
    row["ratio"], row["lowest_ratio"], row["highest_ratio"] = rounds.ratio(speeds["edgeprune"], speeds["pytorch"])
    return row


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_comparison(parser, CONFIGURATIONS)
    command_line.add_training(parser)
    parser.add_argument("--steps", type=command_line.positive, default=30,
                        help="timed ones a run, after as many of warm-up (default: 30)")
    return parser.parse_args(words)


def require_prerequisites(options):
    """Before minutes of measuring, not after them."""
    command_line.require_program(options.edgeprune)
    if not os.path.isdir(options.data):
        raise ValueError(f"{options.data}: no such folder of data")
    if not os.path.isfile(options.weights):
        raise ValueError(f"{options.weights}: no such file of weights")
    for module in ("torch", "torchvision"):
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"Python has no {module} (Debian: python3-torch python3-torchvision)")


def main():
    options = arguments(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: takes the running contender along
    require_prerequisites(options)
    rows = []
    for batch, threads in command_line.chosen(options, CONFIGURATIONS):
        contenders = {"edgeprune": lambda: edgeprune(options, batch, threads),
                      "pytorch": lambda: pytorch(options, batch, threads)}
        rows.append(compare(contenders, options.rounds, options.input_size, batch, threads))
    print(table.render(COLUMNS, rows, options.format), end="")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, rounds.RunFailed) as error:
        sys.exit(f"compare_training.py: {error}")
    except KeyboardInterrupt:
        sys.exit("compare_training.py: interrupted")
