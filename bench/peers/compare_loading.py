#!/usr/bin/env python3
"""Opens PyTorch checkpoints with edgeprune and with torch.load, each time in a process of its own, in turns. README.md says
what either does."""

import argparse
import statistics
import subprocess
import sys
import time

import options
import rounds
import table

STARTED = "import torch"
LOADED = "import sys, torch; torch.load(sys.argv[1], map_location='cpu')"
COLUMNS = [
    table.Column("file", "file"), table.Column("Python", "python"), table.Column("edgeprune info ms", "edgeprune_ms", 1),
    table.Column("torch.load ms", "torch_ms", 1), table.Column("import torch alone ms", "import_ms", 1),
    table.Column("ratio", "ratio", 1), table.Column("lowest", "lowest", 1), table.Column("highest", "highest", 1),
]


def milliseconds(command):
    """Of the whole process, from its start to its end, without what it prints."""
    begin = time.perf_counter()
    process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    elapsed = time.perf_counter() - begin
    if process.returncode != 0:
        last_words = process.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise rounds.RunFailed(f"{rounds.title(command)} failed ({process.returncode}): {last_words[-1]}")
    return elapsed * 1000


def compare(chosen, python, file):
    commands = {
        "edgeprune": [chosen.edgeprune, "info", "--model", file],
        "torch": [python, "-c", LOADED, file],
        "import": [python, "-c", STARTED],
    }
    contenders = {name: lambda command=command: milliseconds(command) for name, command in commands.items()}
    rounds.interleave(contenders, 1)  # files and libraries come into memory
    times = rounds.interleave(contenders, chosen.rounds)
    middle, lowest, highest = rounds.ratio(times["torch"], times["edgeprune"])
    medians = {f"{name}_ms": statistics.median(taken) for name, taken in times.items()}
    return {"file": file, "python": python, "ratio": middle, "lowest": lowest, "highest": highest} | medians


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edgeprune", required=True, metavar="BINARY")
    parser.add_argument("--python", nargs="+", default=["python3"], help="interpreters that have torch (default: python3)")
    parser.add_argument("--rounds", type=options.positive, default=9, help="of each, in turns (default: 9)")
    parser.add_argument("--format", choices=table.FORMATS, default="md", help="of the table (default: md)")
    parser.add_argument("files", nargs="+", metavar="FILE", help="PyTorch checkpoints of networks that edgeprune knows")
    chosen = parser.parse_args()
    options.require_program(chosen.edgeprune)
    rows = [compare(chosen, python, file) for file in chosen.files for python in chosen.python]
    sys.stdout.write(table.render(COLUMNS, rows, chosen.format))


if __name__ == "__main__":
    try:
        main()
    except (ValueError, rounds.RunFailed, OSError) as error:
        sys.exit(f"compare_loading.py: {error}")
