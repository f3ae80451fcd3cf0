"""bench/peers' comparison of inference without PyTorch, ONNX Runtime and XNNPACK: logits, rows, what is missing, bad
input."""

import array
import json
import os
import statistics
import struct
import subprocess
import sys
import unittest
from unittest import mock

from peers_test import PEERS, InFolder

import checkpoint
import compare_inference
import onnx_peer
import onnxruntime_inference
import rounds

GRAPH = {"nodes": [{"name": "images", "height": 2}, {"name": "head", "out_features": 3}]}

# Stubs find in their own name what to do: each writes logits that are the number of their batch, plus an error.
PROGRAM = """#!{python}
import array, json, pathlib, sys
me, options = pathlib.Path(sys.argv[0]), dict(zip(sys.argv[1::2], sys.argv[2::2]))
if sys.argv[1] == "latency":
    layers = [{{"median_ms": 0.5, "limit_percent": percent}} for percent in (20.0, 80.0)]
    print(json.dumps(layers if "--per-layer" in sys.argv else layers[:1]))
else:
    batch = int(options["--batch"])
    assert pathlib.Path(options["--images"]).stat().st_size >= batch * 48
    error = float((me.parent / "error").read_text()) if me.name != "edgeprune_logits" else 0
    pathlib.Path(options["--logits"]).write_bytes(array.array("f", [batch * (1 + error)] * 3 * batch).tobytes())
    if me.name not in ("edgeprune_logits", "onnx_model.py"):
        print(json.dumps({{"median_ms": 1.0 if me.name == "xnnpack_inference" else 0.75}}))
"""


def write_checkpoint(path, graph=GRAPH, tensors={}, values=b"", quantization={}):
    metadata = {"graph": json.dumps(graph), "quantization": json.dumps(quantization)}
    header = json.dumps({"__metadata__": metadata} | tensors).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + values)


class Checkpoint(InFolder):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "model.safetensors"

    def test_tensors_are_read_without_counters(self):
        write_checkpoint(self.path, tensors={"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
                                             "n": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}},
                         values=struct.pack("<qff", 7, 1, 2))
        graph, tensors = checkpoint.read_tensors(self.path)
        self.assertEqual(graph, GRAPH)
        self.assertEqual(tensors, {"a": ([2], struct.pack("<ff", 1, 2))})

    def test_foreign_files_are_named(self):
        foreign = [b"", b"\x01", b"\xff" * 64, struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 2) + b"[]",
                   struct.pack("<Q", 4) + b"null", struct.pack("<Q", 20) + b'{"__metadata__":null', b"PK\x03\x04" * 9]
        for content in foreign:
            self.path.write_bytes(content)
            with self.assertRaisesRegex(ValueError, "model.safetensors: no checkpoint of edgeprune"):
                checkpoint.read_header(self.path)
        for graph in ({}, [], 3, {"nodes": []}, {"nodes": [{"height": "64"}, {"out_features": 10}]}):
            write_checkpoint(self.path, graph)
            with self.assertRaisesRegex(ValueError, "no checkpoint of edgeprune"):
                checkpoint.read_header(self.path)

    def test_truncated_tensor_is_named(self):
        tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
        write_checkpoint(self.path, tensors={"a": tensor}, values=b"123")
        with self.assertRaisesRegex(ValueError, "ends inside of a"):
            checkpoint.read_tensors(self.path)


class Logits(unittest.TestCase):
    def difference(self, logits, expected):
        return compare_inference.difference(array.array("f", logits), array.array("f", expected))

    def test_difference_is_a_share_of_the_largest(self):
        self.assertEqual(self.difference([1, -8, 2], [1, -8, 2]), 0)
        self.assertEqual(self.difference([1, -8, 4], [1, -8, 2]), 0.25)

    def test_what_is_no_number_differs_without_bound(self):
        for wrong in (float("nan"), float("inf"), -float("inf")):
            self.assertEqual(self.difference([wrong, 2], [1, 2]), float("inf"))
            self.assertEqual(self.difference([1, 2], [wrong, 2]), float("inf"))

    def test_another_number_of_logits_is_told(self):
        with self.assertRaisesRegex(ValueError, "2 logits where 3 are expected"):
            self.difference([1, 2], [1, 2, 3])

    def test_logits_that_are_all_zero_can_still_be_compared(self):
        self.assertEqual(self.difference([0, 0], [0, 0]), 0)
        self.assertEqual(self.difference([0, 1], [0, 0]), float("inf"))


class OnnxRuntime(InFolder):
    def test_images_become_channels_first(self):
        images = array.array("f", range(24))  # two of 2x2 pixels
        self.assertEqual(list(onnx_peer.channels_first(images, 2)),
                         [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23])

    def test_too_few_images_are_told(self):
        path = self.folder / "images"
        path.write_bytes(bytes(4 * 24))
        self.assertEqual(len(onnx_peer.read_images(path, 1, 2)), 12)
        with self.assertRaisesRegex(ValueError, "images: fewer than 3 images of 2x2 pixels"):
            onnx_peer.read_images(path, 3, 2)

    def test_another_library_is_told(self):
        (self.folder / "text.so").write_text("no library")
        for library in ("libc.so.6", str(self.folder / "text.so"), str(self.folder / "missing.so")):
            with self.assertRaisesRegex(ValueError, "not the library of ONNX Runtime"):
                onnxruntime_inference.Runtime(library)

    def test_samples_are_of_single_runs(self):
        clock = iter(range(10**6))
        with mock.patch("time.perf_counter", lambda: next(clock) * 2e-4):  # a reading takes 0.2 ms
            calls = []
            samples = onnx_peer.samples_ms(lambda: calls.append(1), 0)
        self.assertEqual(len(samples), 50)
        self.assertAlmostEqual(statistics.median(samples), 0.2 / 5)  # five runs a sample
        self.assertEqual(len(calls), 5 + 1 + 50 * 5)


class CompareInference(InFolder):
    def setUp(self):
        super().setUp()
        (self.folder / "bench").mkdir()
        for name in ("edgeprune", "bench/edgeprune_logits", "bench/xnnpack_inference", "onnx_model.py",
                     "onnxruntime_inference.py", "python_inference.py"):
            (self.folder / name).write_text(PROGRAM.format(python=sys.executable))
            (self.folder / name).chmod(0o755)
        self.model, self.library = self.folder / "model.safetensors", self.folder / "libonnxruntime.so"
        self.library.touch()
        write_checkpoint(self.model)
        self.set_errors(xnnpack=1e-5, onnx=1e-4)

    def set_errors(self, xnnpack, onnx):
        (self.folder / "bench" / "error").write_text(str(xnnpack))
        (self.folder / "error").write_text(str(onnx))

    def words(self, *more, **changed):
        values = {"edgeprune": self.folder / "edgeprune", "model": self.model, "rounds": 2} | changed
        return [str(word) for name, value in values.items() for word in (f"--{name}", value)] + list(more)

    def run_script(self, *words):
        """Without site-packages, hence without torch wherever the test runs."""
        return subprocess.run([sys.executable, "-BES", PEERS / "compare_inference.py", *words], text=True,
                              capture_output=True, timeout=60, stdin=subprocess.DEVNULL)

    def failure(self, *words):
        result = self.run_script(*words)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def test_table_of_both_peers(self):
        options = compare_inference.arguments(self.words(onnxruntime=self.library))
        comparison = compare_inference.Comparison(options, self.model, self.folder)
        comparison.write_images(4)
        with mock.patch.object(compare_inference, "HERE", self.folder), mock.patch("sys.stderr"):
            comparison.prepare(4, 1, ["onnxruntime", "xnnpack"])
            contenders = {name: lambda name=name: getattr(comparison, name)(4, 1)
                          for name in ("edgeprune", "onnxruntime", "xnnpack")}
            row = compare_inference.compare(contenders, 2, 64, 4, 1)
            row["limit_percent"] = comparison.limit_percent(4, 1)
        self.assertEqual({column.key for column in compare_inference.columns(["onnxruntime", "xnnpack"])}, row.keys())
        self.assertEqual((row["edgeprune_ms"], row["onnxruntime_ratio"], row["xnnpack_ratio"]), (0.5, 1.5, 2))
        self.assertEqual(row["limit_percent"], 80)  # of all layers together, which stand last
        self.assertEqual((row["xnnpack_lowest_ratio"], row["xnnpack_highest_ratio"]), (2, 2))
        self.assertEqual(compare_inference.footer(comparison.differences).split(": ")[1],
                         "PyTorch 1.0e-04, ONNX Runtime 1.0e-04, XNNPACK 1.0e-05.")

    def test_peers_of_another_interpreter(self):
        options = compare_inference.arguments(self.words())
        comparison = compare_inference.Comparison(options, self.model, self.folder)
        comparison.write_images(4)
        with mock.patch.object(compare_inference, "HERE", self.folder):
            comparison.prepare(4, 1, ["ncnn"])
            self.assertEqual([comparison.openvino(4, 1), comparison.ncnn(4, 1)], [0.75, 0.75])
        self.assertEqual(comparison.differences.keys(), {"pytorch", "openvino", "ncnn"})

    def test_packages_that_the_interpreter_lacks_are_named(self):
        options = compare_inference.arguments(self.words(python=sys.executable))
        with mock.patch.object(compare_inference, "has_package", lambda _, package: package == "ncnn"), \
                mock.patch("importlib.util.find_spec"):
            reasons = compare_inference.reasons_to_leave_out(options)
        self.assertEqual(reasons["openvino"], f"{sys.executable} has no openvino (PyPI; --python)")
        self.assertEqual(reasons["ncnn"], f"{sys.executable} has no pnnx (PyPI; --python)")
        self.assertTrue(compare_inference.has_package(sys.executable, "json"))
        self.assertFalse(compare_inference.has_package(sys.executable, "no_such_package"))

    def test_xnnpack_is_left_out_where_it_has_no_operator(self):
        for node in ({"name": "gate", "kind": "activate", "activation": "hard_swish"}, {"name": "gate", "kind": "multiply"}):
            other = self.folder / "other.safetensors"
            write_checkpoint(other, {"nodes": [GRAPH["nodes"][0], node, GRAPH["nodes"][1]]})
            errors = self.failure(*self.words(model=other))
            self.assertIn(f"XNNPACK is left out: its program has no operator for gate of {other}\n", errors)

    def test_xnnpack_is_left_out_where_a_layer_of_a_quantised_model_stays_in_floats(self):
        other, grid = self.folder / "other.safetensors", {"images": {"lowest": 0, "highest": 255, "scale": 1, "zero_point": 0}}
        for dtype, left_out in (("F32", "head"), ("I8", None)):
            write_checkpoint(other, tensors={"head.weight": {"dtype": dtype}}, quantization=grid)
            self.assertEqual(compare_inference.unknown_to_xnnpack(other), left_out)

    def test_missing_peer_is_told_and_the_other_one_compared(self):
        result = self.run_script(*self.words("--config", "1x1", "2x1", onnxruntime=self.library))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"^ONNX Runtime is left out: Python has no torch .*python3-torch\)\n")
        self.assertNotIn("ONNX Runtime", result.stdout)
        self.assertRegex(result.stdout, r"\n\| +2 \| +2 \| +1 \| +0.5000 \| +80 \| +1.0000 \|  2.00 \|")
        self.assertTrue(result.stdout.endswith("logit: XNNPACK 1.0e-05.\n"), result.stdout)

    def test_footer_keeps_out_of_json(self):
        result = self.run_script(*self.words(config="1x1", format="json"))
        self.assertEqual([row["xnnpack_ratio"] for row in json.loads(result.stdout)], [2])
        self.assertIn("XNNPACK 1.0e-05", result.stderr)

    def test_no_peer_at_all(self):
        os.remove(self.folder / "bench" / "xnnpack_inference")
        errors = self.failure(*self.words())
        self.assertRegex(errors, r"XNNPACK is left out: .*xnnpack_inference is not built \(Debian: libxnnpack-dev ")
        self.assertIn("compare_inference.py: no peer to compare with\n", errors)

    def test_other_logits_are_refused(self):
        for error in (2e-3, float("nan")):
            self.set_errors(xnnpack=error, onnx=0)
            errors = self.failure(*self.words(onnxruntime=self.library))
            self.assertRegex(errors, r"\ncompare_inference.py: XNNPACK's logits differ from edgeprune's by \S+ of the "
                                     r"largest one \(batch 1, 1 threads\): the same network\?\n$")

    def test_bad_input_is_one_line(self):
        missing, text = self.folder / "missing", self.folder / "text"
        text.write_text("no model")
        for words, message in ((self.words(edgeprune=missing), "missing: no such program"),
                               (self.words(onnxruntime=missing), "missing: no such library"),
                               (self.words(model=missing, onnxruntime=self.library), "No such file or directory"),
                               (self.words(model=text, onnxruntime=self.library), "text: no checkpoint of edgeprune")):
            errors = [line for line in self.failure(*words).splitlines() if "is left out" not in line]
            self.assertEqual(len(errors), 1, errors)
            self.assertIn(message, errors[0])
        os.remove(self.folder / "bench" / "edgeprune_logits")
        self.assertIn("edgeprune_logits: no such program (built with edgeprune where", self.failure(*self.words()))

    def test_wrong_argument_is_named(self):
        for words, message in ((["--config", "1x"], "'1x' is not BATCHxTHREADS"),
                               (["--seconds", "0"], "argument --seconds: invalid positive value: '0'")):
            self.assertIn(message, self.failure(*self.words(), *words))
        self.assertIn("required: --edgeprune, --model", self.failure())

    def test_execute_takes_whatever_is_printed(self):
        self.assertEqual(rounds.execute([sys.executable, "-c", "print('text')"], 1).output, b"text\n")


if __name__ == "__main__":
    unittest.main()
