"""Contenders measured in turns, each time in a process of its own."""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile
from typing import NamedTuple


class Run(NamedTuple):
    output: object  # what the process printed: bytes, or the JSON that they are
    peak_mib: float  # its largest resident memory


class RunFailed(Exception):
    """One line: which process, and its last words."""


def run(command, threads, settings={}):
    """execute() for a command that prints JSON."""
    output, peak_mib = execute(command, threads, settings)
    try:
        return Run(json.loads(output), peak_mib)
    except ValueError:
        raise RunFailed(f"{title(command)} printed no JSON: {output[:60]!r}") from None


def title(command):
    return " ".join(pathlib.Path(word).name for word in command[:2])


def execute(command, threads, settings={}):
    """Runs a command with `threads` threads and these environment variables. Linux starts a child's peak at its
    parent's memory: keep this process small (no torch, no data)."""
    command = [str(word) for word in command]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)} | settings
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=errors)
        try:
            output = process.stdout.read()
        except BaseException:  # Ctrl-C above all: no process stays behind
            process.kill()
            raise
        finally:
            # Not Popen.wait(): it would throw away the usage of this one child.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
        errors.seek(0)
        last_words = errors.read().decode(errors="replace").strip().splitlines() or ["no message"]
    if process.returncode != 0:
        raise RunFailed(f"{title(command)} failed ({process.returncode}): {last_words[-1]}")
    return Run(output, usage.ru_maxrss / 1024)  # Linux counts it in KiB


def interleave(contenders, rounds, on_round=lambda number, results: None):
    """Calls the functions of `contenders` (a dict) in turns, A B A B, so that a machine that gets slower or faster
    does so for all. Returns {name: [one result a round]}."""
    results = {name: [] for name in contenders}
    for number in range(1, rounds + 1):
        for name, contender in contenders.items():
            results[name].append(contender())
        on_round(number, {name: so_far[-1] for name, so_far in results.items()})
    return results


def ratio(ones, others):
    """ones / others, a number a round: (that of the medians, lowest and highest of any one round)"""
    by_round = [a / b for a, b in zip(ones, others, strict=True)]
    return statistics.median(ones) / statistics.median(others), min(by_round), max(by_round)
