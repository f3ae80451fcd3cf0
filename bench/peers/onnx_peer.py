"""What the peers that take an ONNX model have in common: options, images, samples of time. Standard library only."""

import argparse
import array
import json
import os
import statistics
import time

import options as command_line


def parser(description):
    result = argparse.ArgumentParser(description=description.splitlines()[0])
    result.add_argument("--onnx", required=True, help="a model for this batch, of edgeprune export --batch")
    result.add_argument("--images", required=True, help="float32 values [N,S,S,3], normalised")
    result.add_argument("--side", type=command_line.positive, required=True, help="S")
    result.add_argument("--classes", type=command_line.positive, required=True)
    result.add_argument("--batch", type=command_line.positive, default=1)
    result.add_argument("--threads", type=command_line.positive, default=1)
    result.add_argument("--seconds", type=float, default=3, help="of measuring (default: 3)")
    result.add_argument("--all", action="store_true", help="run all images of the file, in batches, and measure nothing")
    result.add_argument("--logits", required=True, help="file to write: float32 values [N,classes]")
    return result


def samples_ms(run, seconds):
    """Milliseconds a run, measured as `edgeprune latency` does: at least 50 samples, each of so many runs that it takes
    a millisecond."""
    for _ in range(5):
        run()
    start = time.perf_counter()
    run()
    repeats = max(1, round(1e-3 / (time.perf_counter() - start)))
    samples, end = [], time.perf_counter() + seconds
    while len(samples) < 50 or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        samples.append(1e3 * (time.perf_counter() - start) / repeats)
    return samples


def channels_first(values, batch):
    """[N,S,S,3] to [N,3,S,S]"""
    size = len(values) // batch
    result = array.array("f")
    for start in range(0, len(values), size):
        for channel in range(3):
            result += values[start + channel : start + size : 3]
    return result


def read_images(path, batch, side, first=0):
    images = array.array("f")
    try:
        with open(path, "rb") as file:
            file.seek(4 * first * side * side * 3)
            images.fromfile(file, batch * side * side * 3)
    except EOFError:
        raise ValueError(f"{path}: fewer than {batch} images of {side}x{side} pixels") from None
    return channels_first(images, batch)


def run_all(options, images, run, logits):
    """Writes the logits of all batches of the file. `images`: what run() reads, a flat array."""
    count = os.path.getsize(options.images) // (4 * 3 * options.side**2)
    if count == 0 or count % options.batch:
        raise ValueError(f"{options.images}: {count} images are no whole batches of {options.batch}")
    with open(options.logits, "wb") as file:
        for first in range(0, count, options.batch):
            images[:] = read_images(options.images, options.batch, options.side, first)
            run()
            file.write(logits().tobytes())


def report(options, images, run, logits, version):
    """Measures run(), writes the values of logits() and prints {"version", "median_ms": milliseconds an image} as JSON."""
    if options.all:
        run_all(options, images, run, logits)
        return print(json.dumps({"version": version}))
    milliseconds = statistics.median(samples_ms(run, options.seconds)) / options.batch
    with open(options.logits, "wb") as file:
        file.write(logits().tobytes())
    print(json.dumps({"version": version, "median_ms": milliseconds}))
