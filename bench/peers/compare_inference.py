#!/usr/bin/env python3
"""Inference of edgeprune, ONNX Runtime, XNNPACK, OpenVINO and ncnn, measured in turns, as a table.

All run the same checkpoint with batch norm folded, in float32 or, if it is quantised, in integers, on the same images with
as many threads, and their logits are compared with edgeprune's before anything is told of their speed. A round measures each of them once, in a
new process that warms up first. The ratio is a peer's median of milliseconds an image to edgeprune's: above 1, edgeprune
is faster; its lowest and highest are those of single rounds. A peer that is not installed is left out.
"""

import argparse
import array
import ctypes.util
import math
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile

import checkpoint
import options as command_line
import rounds
import table

HERE = pathlib.Path(__file__).parent
NAMES = {"edgeprune": "edgeprune", "onnxruntime": "ONNX Runtime", "precise": "ONNX Runtime, precise", "xnnpack": "XNNPACK",
         "openvino": "OpenVINO", "ncnn": "ncnn"}
FROM_PYPI = {"openvino": ("openvino",), "ncnn": ("ncnn", "pnnx")}  # packages
PEERS = ("onnxruntime", "precise", "xnnpack", "openvino", "ncnn")
TAKE_ONNX = {"onnxruntime", "precise", *FROM_PYPI}
NEED_FLOATS, NEED_INTEGERS = {"ncnn"}, {"precise"}
CONFIGURATIONS = ("1x1", "1x2", "64x1", "64x2")
TOLERANCE = 1e-3  # some hundred times what float32 sums in another order differ by
# Of integers: others round the narrow maps once more and hold the wide ones in 8 bits instead of 7, and on images of noise
# a thousand classes are near each other. With a scale or a zero point wrong it is about the whole.
INTEGER_TOLERANCE = 0.3
EXAMPLES = """examples:
  compare_inference.py --edgeprune build/release/edgeprune --model base.safetensors --onnxruntime libonnxruntime.so.1
  compare_inference.py --edgeprune build/release/edgeprune --model base.safetensors --config 1x1 64x2 --rounds 9
  for size in 64 96 224; do edgeprune import mobilenet_v2.pth $size.safetensors --classes 10 --input-size $size; done
  compare_inference.py --edgeprune build/release/edgeprune --model 64.safetensors 96.safetensors 224.safetensors"""


def read_floats(path):
    return array.array("f", path.read_bytes())


def difference(logits, expected):
    """The largest one as a share of the largest logit expected; infinite where there is no number."""
    if len(logits) != len(expected):
        raise ValueError(f"{len(logits)} logits where {len(expected)} are expected")
    if not all(map(math.isfinite, (*logits, *expected))):
        return math.inf
    found, largest = max(abs(a - b) for a, b in zip(logits, expected)), max(map(abs, expected))
    if found == 0:
        return 0
    return found / largest if largest else math.inf


class Comparison:
    """The systems on one checkpoint; files between them are in `folder`."""

    def __init__(self, options, model, folder):
        self.options, self.model, self.folder = options, model, pathlib.Path(folder)
        self.images = self.folder / "images"
        graph, _, _ = checkpoint.read_header(model)
        self.side, self.classes = checkpoint.side(graph), checkpoint.classes(graph)
        self.integers = bool(checkpoint.quantization(model))
        self.expected = {}  # edgeprune's logits by (batch, threads)
        self.differences = {}  # the largest so far, by system
        self.all = []  # options of a peer that runs all images instead of measuring

    def write_images(self, count):
        """As good as normalised ones: [count,S,S,3], standard normal, always the same."""
        generator = random.Random(0)
        pixels = array.array("f", (generator.gauss(0, 1) for _ in range(count * self.side**2 * 3)))
        self.images.write_bytes(pixels.tobytes())

    def common(self, batch):
        """Options of everything that runs the network on the images."""
        return ["--images", self.images, "--batch", batch, "--logits", self.folder / "logits"]

    def compare_logits(self, system, batch, threads):
        """With those that the system has just written."""
        found = difference(read_floats(self.folder / "logits"), self.expected[batch, threads])
        if not found <= (INTEGER_TOLERANCE if self.integers else TOLERANCE):
            raise ValueError(f"{NAMES[system]}'s logits differ from edgeprune's by {found:.1e} of the largest one"
                             f" (batch {batch}, {threads} threads): the same network?")
        self.differences[system] = max(found, self.differences.get(system, 0))

    def prepare(self, batch, threads, peers):
        """What the peers need besides the checkpoint: edgeprune's logits, the ONNX model."""
        rounds.execute([logits_program(self.options), "--model", self.model, *self.common(batch),
                        "--threads", threads], threads)
        self.expected[batch, threads] = read_floats(self.folder / "logits")
        if TAKE_ONNX & set(peers):
            rounds.execute([self.options.edgeprune, "export", "--model", self.model, "--batch", batch,
                            self.folder / "onnx"], threads)

    def edgeprune(self, batch, threads):
        """Milliseconds an image, as those below."""
        return self.latency(batch, threads)[0]["median_ms"]

    def limit_percent(self, batch, threads):
        """The least time that all layers' work can take (its arithmetic, or its bytes), of the time that edgeprune takes."""
        return self.latency(batch, threads, "--per-layer")[-1]["limit_percent"]

    def latency(self, batch, threads, *more):
        engine = "int8" if self.integers else "dense"
        return rounds.run([self.options.edgeprune, "latency", "--model", self.model, "--engine", engine, "--batch", batch,
                           "--threads", threads, "--seconds", self.options.seconds, "--format", "json", *more], threads).output

    def onnxruntime(self, batch, threads, system="onnxruntime", settings=()):
        return self.onnx_peer(system, [sys.executable, HERE / "onnxruntime_inference.py", "--library",
                                       onnxruntime_library(self.options), *settings], batch, threads)

    def precise(self, batch, threads):
        return self.onnxruntime(batch, threads, "precise", ["--precise"])

    def openvino(self, batch, threads):
        return self.python_peer("openvino", batch, threads)

    def ncnn(self, batch, threads):
        return self.python_peer("ncnn", batch, threads)

    def python_peer(self, system, batch, threads):
        return self.onnx_peer(system, [self.options.python, HERE / "python_inference.py", "--system", system],
                              batch, threads)

    def onnx_peer(self, system, command, batch, threads):
        return self.peer(system, [*command, "--onnx", self.folder / "onnx", "--side", self.side,
                                  "--classes", self.classes], batch, threads)

    def xnnpack(self, batch, threads):
        return self.peer("xnnpack", [xnnpack_program(self.options), "--model", self.model], batch, threads)

    def accuracies(self, threads, peers):
        """{system: percent} on the test images of --data."""
        self.images, labels = self.folder / "test images", self.folder / "labels"
        rounds.execute([test_images_program(self.options), "--model", self.model, "--data", self.options.data,
                        "--images", self.images, "--labels", labels], threads)
        labels = [int(line) for line in labels.read_text().split()]
        batch = next(size for size in (64, 50, 32, 25, 16, 10, 8, 5, 4, 2, 1) if len(labels) % size == 0)
        result = rounds.run([self.options.edgeprune, "eval", "--model", self.model, "--data", self.options.data,
                             "--threads", threads, "--format", "json"], threads)
        found = {"edgeprune": result.output[0]["accuracy_percent"]}
        self.prepare(batch, threads, peers)
        for system in peers:
            self.all = ["--all"]
            getattr(self, system)(batch, threads)
            found[system] = percent_right(read_floats(self.folder / "logits"), labels, self.classes)
        self.all = []
        return found

    def peer(self, system, command, batch, threads):
        if self.all:
            rounds.execute([*command, *self.common(batch), "--threads", threads, *self.all], threads)
            return None
        result = rounds.run([*command, *self.common(batch), "--threads", threads,
                             "--seconds", self.options.seconds], threads)
        self.compare_logits(system, batch, threads)
        return result.output["median_ms"]


def compare(contenders, count, side, batch, threads):
    """A row of the table. `contenders` are functions that give milliseconds an image of `side` pixels a side."""
    def say(number, results):
        times = ", ".join(f"{NAMES[name]} {time:.4f}" for name, time in results.items())
        print(f"{side}x{side}, batch {batch}, {threads} threads, round {number}/{count}: {times} ms/image", file=sys.stderr)

    results = rounds.interleave(contenders, count, say)
    row = {"input": side, "batch": batch, "threads": threads, "edgeprune_ms": statistics.median(results["edgeprune"])}
    for name in contenders.keys() - {"edgeprune"}:
        row[f"{name}_ms"] = statistics.median(results[name])
        row[f"{name}_ratio"], row[f"{name}_lowest_ratio"], row[f"{name}_highest_ratio"] = rounds.ratio(
            results[name], results["edgeprune"])
    return row


def columns(peers):
    result = [table.Column("input", "input"), table.Column("batch", "batch"), table.Column("threads", "threads"),
              table.Column("edgeprune ms/image", "edgeprune_ms", 4), table.Column("of its limit %", "limit_percent", 0)]
    for name in peers:
        result += [table.Column(f"{NAMES[name]} ms/image", f"{name}_ms", 4), table.Column("ratio", f"{name}_ratio", 2),
                   table.Column("lowest", f"{name}_lowest_ratio", 2),
                   table.Column("highest", f"{name}_highest_ratio", 2)]
    return result


def percent_right(logits, labels, classes):
    best = (max(range(classes), key=lambda i: logits[n * classes + i]) for n in range(len(labels)))
    return 100 * sum(map(int.__eq__, best, labels)) / len(labels)


def footer(differences):
    shares = ", ".join(f"{NAMES[system]} {found:.1e}" for system, found in differences.items())
    return f"Largest difference from edgeprune's logits, as a share of the largest logit: {shares}."


def logits_program(options):
    return pathlib.Path(options.edgeprune).parent / "bench" / "edgeprune_logits"


def test_images_program(options):
    return pathlib.Path(options.edgeprune).parent / "bench" / "test_images"


def xnnpack_program(options):
    return pathlib.Path(options.edgeprune).parent / "bench" / "xnnpack_inference"


def onnxruntime_library(options):
    """None if there is none."""
    if options.onnxruntime:
        return pathlib.Path(options.onnxruntime).absolute()  # a bare name would be looked for in the system's folders
    return ctypes.util.find_library("onnxruntime")


def unknown_to_xnnpack(model):
    """A node that bench/peers/xnnpack_inference.cpp has no operator for, or not in the numbers at hand; None if there is none."""
    graph, tensors, _ = checkpoint.read_header(model)
    integers = bool(checkpoint.quantization(model))
    for node in graph["nodes"]:
        if node.get("activation", "none") not in ("none", "relu", "relu6") or node.get("kind") in ("multiply", "max_pool"):
            return node["name"]
        if integers and tensors.get(f"{node['name']}.weight", {}).get("dtype", "I8") != "I8":
            return node["name"]  # which stays in floats
    return None


def has_package(python, package):
    found = subprocess.run([python, "-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{package}') is None)"],
                           capture_output=True)
    return found.returncode == 0


def reasons_to_leave_out(options):
    """{peer: why}"""
    reasons = {}
    if onnxruntime_library(options) is None:
        reasons["onnxruntime"] = reasons["precise"] = "its library was not found (bench/peers/README.md says where from; --onnxruntime)"
    for name, packages in FROM_PYPI.items():
        missing = [package for package in packages if not has_package(options.python, package)]
        if missing:
            reasons[name] = f"{options.python} has no {' and no '.join(missing)} (PyPI; --python)"
    if not os.path.isfile(xnnpack_program(options)):
        reasons["xnnpack"] = (f"{xnnpack_program(options)} is not built"
                              " (Debian: libxnnpack-dev libpthreadpool-dev; then configure and build again)")
    integers = [bool(checkpoint.quantization(model)) for model in options.model]
    if any(integers):
        reasons |= {name: "it is compared on networks of floats alone" for name in NEED_FLOATS}
    if not all(integers):
        reasons |= {name: "that is a setting for integers" for name in NEED_INTEGERS}
    for model in options.model:
        if node := unknown_to_xnnpack(model):
            reasons["xnnpack"] = f"its program has no operator for {node} of {model}"
    return reasons


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    command_line.add_comparison(parser, CONFIGURATIONS)
    parser.add_argument("--model", required=True, nargs="+", help="checkpoints of edgeprune, for example one a size")
    parser.add_argument("--onnxruntime", metavar="LIBRARY", help="libonnxruntime.so (default: the system's, if any)")
    parser.add_argument("--python", default=sys.executable, metavar="INTERPRETER",
                        help="one that has openvino, or ncnn and pnnx (default: this one)")
    parser.add_argument("--data", help="tell accuracies on its test images, too (as of edgeprune eval)")
    parser.add_argument("--seconds", type=command_line.positive, default=3, help="of measuring, a run (default: 3)")
    return parser.parse_args(words)


def require_prerequisites(options):
    """Before minutes of measuring, not after them."""
    command_line.require_program(options.edgeprune)
    command_line.require_program(logits_program(options), "built with edgeprune where EDGEPRUNE_BENCH is on")
    if options.onnxruntime and not os.path.isfile(options.onnxruntime):
        raise ValueError(f"{options.onnxruntime}: no such library of ONNX Runtime")


def main():
    options = arguments(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: takes the running contender along
    require_prerequisites(options)
    configurations = command_line.chosen(options, CONFIGURATIONS)
    reasons = reasons_to_leave_out(options)
    for name, reason in reasons.items():
        print(f"{NAMES[name]} is left out: {reason}", file=sys.stderr)
    peers = [name for name in PEERS if name not in reasons]
    if not peers:
        raise ValueError("no peer to compare with")
    rows, differences, accuracies = [], {}, []
    for model in options.model:
        with tempfile.TemporaryDirectory(prefix="edgeprune-peers-") as folder:
            comparison = Comparison(options, model, folder)
            comparison.write_images(max(batch for batch, _ in configurations))
            for batch, threads in configurations:
                comparison.prepare(batch, threads, peers)
                contenders = {name: lambda name=name: getattr(comparison, name)(batch, threads)
                              for name in ("edgeprune", *peers)}
                rows.append(compare(contenders, options.rounds, comparison.side, batch, threads)
                            | {"limit_percent": comparison.limit_percent(batch, threads)})
            if options.data:
                found = comparison.accuracies(configurations[0][1], peers)
                accuracies.append({"model": str(model)} | found)
        for system, found in comparison.differences.items():
            differences[system] = max(found, differences.get(system, 0))
    print(table.render(columns(peers), rows, options.format), end="")
    if accuracies:
        names = [table.Column("model", "model"), *(table.Column(f"{NAMES[name]} accuracy %", name, 2)
                                                   for name in ("edgeprune", *peers))]
        print("\n" + table.render(names, accuracies, options.format), end="")
    if options.format == "md":
        print()
    print(footer(differences), file=sys.stdout if options.format == "md" else sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, rounds.RunFailed) as error:
        sys.exit(f"compare_inference.py: {error}")
    except KeyboardInterrupt:
        sys.exit("compare_inference.py: interrupted")
