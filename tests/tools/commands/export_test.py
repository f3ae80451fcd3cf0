"""export: what it refuses, and what ONNX Runtime makes of its files, where $EDGEPRUNE_PYTHON is a Python that has it."""

import array
import hashlib
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import unittest

from support import CommandTest, networks, write_bmp

PYTHON = os.environ.get("EDGEPRUNE_PYTHON", sys.executable)
PACKAGES = "onnx, onnxruntime, numpy"
HAS_RUNTIME = subprocess.run([PYTHON, "-c", f"import {PACKAGES}"], capture_output=True).returncode == 0
RUNNER = pathlib.Path(__file__).parent / "onnx_runtime.py"


class Export(CommandTest):
    def test_a_file_is_written_and_what_it_is_is_said(self):
        out = self.folder / "model.onnx"
        _, output, errors = self.run_command("export", "--model", self.base, out)
        self.assertEqual(output, "")
        self.assertEqual(errors, f"{out}: 100 nodes, opset 17, {out.stat().st_size} bytes\n")
        self.assertEqual(sorted(self.folder.iterdir()), [out])
        data = out.read_bytes()
        for text in (b"mobilenet_v2", b"squash", b'"step":"export"', b"edgeprune", b"features.0.0.weight"):
            self.assertIn(text, data)
        self.succeed("export", "--model", self.base, out, "--opset", 13)  # over the old one
        self.assertNotEqual(out.read_bytes(), data)
        self.assertIn("--preprocess", self.succeed("export", "--help"))

    def test_bad_input_is_refused_in_one_line(self):
        out = self.folder / "model.onnx"
        for opset in (12, 18, "new"):
            self.fail("export", "--model", self.base, out, "--opset", opset, code=2, says="--opset")
        self.fail("export", "--model", self.base, out, "--batch", 0, code=2, says="--batch")
        self.fail("export", "--model", self.base, out, "--batch", 2, "--dynamic-batch", code=2, says="excludes")
        self.fail("export", "--model", self.base, code=2, says="out is required")
        self.fail("export", out, code=2, says="--model is required")
        self.fail("export", "--model", self.folder / "none", out, says="none")
        self.fail("export", "--model", self.base, self.folder / "none" / "model.onnx", says="none")
        self.fail("export", "--model", self.base, self.base, code=2, says="is the model itself")
        self.fail("export", "--model", self.base, self.folder, says="is no regular file")
        self.fail("export", "--model", self.base, "/dev/full", says="is no regular file")
        link = self.folder / "link.onnx"
        link.symlink_to(out)
        self.fail("export", "--model", self.base, link, says="is a link")
        broken = self.folder / "broken.safetensors"
        broken.write_bytes(self.base.read_bytes()[:-100])
        self.fail("export", "--model", broken, out, says="broken.safetensors")


def with_full_grids(source, target):
    """A quantised checkpoint whose maps have the same ranges in 256 steps."""
    data = source.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    grids = json.loads(header["__metadata__"]["quantization"])
    for grid in grids.values():
        grid["scale"] *= grid["highest"] / 255
        grid["highest"] = 255
    header["__metadata__"]["quantization"] = json.dumps(grids)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return target


class Import(CommandTest):
    """What export wrote is read again."""

    def logits(self, model, *flags):
        image = self.folder / "image.bmp"
        write_bmp(image, 64, 64, lambda x, y: (4 * x, 4 * y, (x * y) % 256))
        (row,) = self.json_of("predict", "--model", model, *flags, "--logits", image)
        return [entry["logit"] for entry in row["logits"]]

    def export(self, model, *flags):
        out = self.folder / f"{model.stem}.onnx"
        self.succeed("export", "--model", model, out, *flags)
        return out

    def test_it_computes_the_same_and_goes_on_as_a_checkpoint(self):
        pruned = self.folder / "pruned.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.8, "--out", pruned)
        out, back, tuned = self.export(pruned), self.folder / "back.safetensors", self.folder / "tuned.safetensors"
        self.succeed("import", out, back)
        expected = self.logits(pruned)
        for model in (out, back):
            self.assertLessEqual(max(abs(a - b) for a, b in zip(self.logits(model), expected, strict=True)), 1e-5 * max(map(abs, expected)))
        history = self.json_of("info", "--model", back)["history"]
        self.assertEqual(history[-1]["sha256"], hashlib.sha256(out.read_bytes()).hexdigest())
        self.assertEqual([step["step"] for step in history[-2:]], ["export", "import"])
        before = self.json_of("info", "--model", back)["layers"][-2]["sparsity_percent"]
        self.assertAlmostEqual(before, 80, delta=0.1)
        self.succeed("train", "--model", back, "--data", "synthetic:32", "--epochs", 1, "--batch", 16, "--threads", 1, "--out", tuned)
        self.assertEqual(self.json_of("info", "--model", tuned)["layers"][-2]["sparsity_percent"], before)
        compact = self.folder / "compact.safetensors"
        self.succeed("prune", "--model", back, "--method", "channel", "--mode", "compact", "--sparsity", 0.5, "--out", compact)
        self.succeed("quantize", "--model", back, "--data", "synthetic:32", "--calibrate", 16, "--test", 0, "--out", self.folder / "q.safetensors")
        rows = self.json_of("latency", "--model", out, "--engine", "dense,sparse", "--batch", 1, "--threads", 1, "--seconds", 0, "--min-samples", 2)
        self.assertEqual(len(rows), 2)

    def test_the_content_says_what_a_file_is_whatever_its_name(self):
        expected = self.json_of("info", "--model", self.base)["layers"]
        exported = self.json_of("info", "--model", self.export(self.base))["layers"]
        for suffix in (".onnx", ".pth", ".pt", ".safetensors", ""):
            ours, theirs = self.folder / f"ours{suffix}", self.folder / f"theirs{suffix}"
            self.succeed("import", self.base, ours)
            self.assertEqual(self.json_of("info", "--model", ours)["layers"], expected)
            theirs.write_bytes(self.export(self.base).read_bytes())
            self.assertEqual(self.json_of("info", "--model", theirs)["layers"], exported)

    def test_the_source_is_not_written_over(self):
        link = self.folder / "link"
        for source in (self.export(self.base), self.folder / "x.pth"):
            if not source.exists():
                source.write_bytes(self.base.read_bytes())
            link.unlink(missing_ok=True)
            link.symlink_to(source)
            before = source.read_bytes()
            for model, out in ((source, source), (link, source), (source, link), (source, self.folder / "." / source.name)):
                self.fail("import", model, out, says="is the model itself, which would be lost", code=2)
            self.assertEqual(source.read_bytes(), before)

    def test_what_is_no_network_in_floats_is_refused_by_node(self):
        pixels, back, quantized = self.export(self.base, "--preprocess"), self.folder / "back.safetensors", self.folder / "q.safetensors"
        self.fail("import", pixels, back, says="as export --preprocess writes; expected the one exported without")
        self.succeed("quantize", "--model", self.base, "--data", "synthetic:32", "--calibrate", 16, "--test", 0, "--out", quantized)
        self.fail("import", self.export(quantized), back, says="QuantizeLinear 'images/QuantizeLinear': a network in integers")
        plain = self.export(self.base)
        for command in (("import", plain, back), ("info", "--model", plain)):
            self.fail(*command, "--trained-in", "tensorflow", says="--trained-in is for weights alone; an ONNX file says how it computes")
            self.fail(*command, "--key", "x", says="--key is for PyTorch checkpoints")
        data = plain.read_bytes()
        for size in (0, 1, 100, len(data) // 2):
            (self.folder / "cut.onnx").write_bytes(data[:size])
            self.fail("import", self.folder / "cut.onnx", back, says="cut.onnx: [onnx]")


@unittest.skipUnless(HAS_RUNTIME, f"{PYTHON} has not all of {PACKAGES} (EDGEPRUNE_PYTHON names another one)")
class OnOnnxRuntime(CommandTest):
    def train(self, network, size=32):
        out = self.folder / f"{network}.safetensors"
        self.succeed("train", "--data", "synthetic:32", "--weights", "random", "--network", network, "--width", 0.25, "--input-size", size,
                     "--epochs", 1, "--batch", 16, "--threads", 1, "--out", out)
        return out

    def quantize(self, model, size=None):
        out = model.with_suffix(".int8.safetensors") if model != self.base else self.folder / "base.int8.safetensors"
        self.succeed("quantize", "--model", model, "--data", "synthetic:64", "--calibrate", 32, "--test", 0, "--out", out,
                     *(["--input-size", size] if size else []))
        return out

    def pixels(self, size, count):
        """Images of noise: pixels by image, [S,S,3]; their names."""
        generator, images, names = random.Random(size), [], []
        for number in range(count):
            images.append(bytes(generator.randrange(256) for _ in range(3 * size * size)))
            names.append(self.folder / f"{size}-{number}.bmp")
            write_bmp(names[-1], size, size, lambda x, y, all=images[-1]: all[3 * (size * y + x) : 3 * (size * y + x) + 3])
        return images, names

    def run_onnx(self, out, inputs, batch, *flags):
        values = self.folder / "input"
        values.write_bytes(inputs)
        done = subprocess.run([PYTHON, "-B", RUNNER, out, values, "--batch", str(batch), *map(str, flags)], capture_output=True, text=True,
                              timeout=200)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def normalised(self, model, images, size):
        """[N,3,S,S] as bytes of float32."""
        info = self.json_of("info", "--model", model)
        result = array.array("f")
        for image in images:
            for channel in range(3):
                mean, std = info["mean"][channel], info["std"][channel]
                result.extend((value / 255 - mean) / std for value in image[channel :: 3])
        return result.tobytes()

    def logits(self, model, names):
        rows = self.json_of("predict", "--model", model, "--logits", *names)
        return [entry["logit"] for row in rows for entry in row["logits"]]

    def compare(self, model, size, *flags, count=2):
        """(what ONNX Runtime says, the largest difference as a share of the largest logit)"""
        images, names = self.pixels(size, count)
        out = self.folder / "model.onnx"
        self.succeed("export", "--model", model, out, "--dynamic-batch", *flags)
        inputs = b"".join(images) if "--preprocess" in flags else self.normalised(model, images, size)
        found = self.run_onnx(out, inputs, count)
        expected, got = self.logits(model, names), [value for row in found["logits"] for value in row]
        self.assertTrue(all(map(math.isfinite, got)))
        return found, max(abs(a - b) for a, b in zip(expected, got, strict=True)) / max(map(abs, expected))

    def test_every_network_gives_the_same_logits(self):
        for network in networks():
            model = self.train(network)
            for flags in ((), ("--opset", 13, "--preprocess")):
                with self.subTest(network, flags=flags):
                    found, difference = self.compare(model, 32, *flags)
                    self.assertLessEqual(difference, 1e-5)
                    self.assertEqual(found["metadata"]["network"], network)

    def test_pruned_and_compact_ones_too_and_zeros_stay(self):
        pruned, compact = self.folder / "pruned.safetensors", self.folder / "compact.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.8, "--out", pruned)
        self.succeed("prune", "--model", self.base, "--method", "channel", "--mode", "compact", "--sparsity", 0.5, "--out", compact)
        for model in (self.base, pruned, compact):
            found, difference = self.compare(model, 64)
            self.assertLessEqual(difference, 1e-5, model)
        history = json.loads(found["metadata"]["history"])
        self.assertEqual([step["step"] for step in history[-2:]], ["prune", "export"])
        self.assertEqual(len(history[-1]["parent"]), 64)
        self.assertEqual(len(json.loads(found["metadata"]["classes"])), 10)

    def test_one_image_at_a_time_unless_more_are_asked_for(self):
        out = self.folder / "one.onnx"
        self.succeed("export", "--model", self.base, out, "--preprocess")
        found = self.run_onnx(out, bytes(64 * 64 * 3), 1)
        self.assertEqual(found["shape"], [1, 64, 64, 3])
        self.succeed("export", "--model", self.base, out, "--batch", 2)
        found = self.run_onnx(out, bytes(2 * 4 * 64 * 64 * 3), 2)
        self.assertEqual(found["shape"], [2, 3, 64, 64])

    def check_integers(self, model, size, convolutions, sums, *flags):
        images, _ = self.pixels(size, 2)
        out = self.folder / "int8.onnx"
        self.succeed("export", "--model", model, out, "--dynamic-batch", *flags)
        inputs = self.normalised(model, images, size)
        found = self.run_onnx(out, inputs, 2, "--checkpoint", model)
        self.assertNotIn("Clip", found["operators"])
        self.assertNotIn("Relu", found["operators"])
        self.assertEqual(found["fused"], {"QuantizeLinear": 1, "QLinearConv": convolutions, "QLinearAdd": sums, "Flatten": 1,
                                          "QLinearGlobalAveragePool": 1, "QGemm": 1})
        layers = found["layers"]
        self.assertEqual(layers["wrong_grids"], [])
        self.assertLessEqual(layers["largest_difference"], 1)
        self.assertGreaterEqual(layers["equal"], 0.999 * layers["numbers"])

    def test_every_integer_layer_is_fused_and_computes_as_ours(self):
        self.check_integers(self.quantize(self.base), 64, 52, 10)
        self.check_integers(self.quantize(self.base, 224), 224, 52, 10)
        compact, half = self.folder / "compact.safetensors", self.folder / "half.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "channel", "--mode", "compact", "--sparsity", 0.5, "--out", compact)
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.8, "--out", half)
        self.check_integers(self.quantize(compact), 64, 52, 10, "--opset", 13)
        self.check_integers(self.quantize(half), 64, 52, 10)

    def test_without_sums_a_network_is_the_same_from_end_to_end(self):
        model = with_full_grids(self.quantize(self.train("mobilenet_v1")), self.folder / "full.safetensors")
        found, difference = self.compare(model, 32, count=8)
        self.assertEqual(found["fused"]["QLinearConv"], 27)
        self.assertLessEqual(difference, 1e-5)

    def test_networks_with_max_pools_and_layers_in_floats(self):
        model = self.quantize(self.train("resnet18"))
        found, difference = self.compare(model, 32)
        self.assertEqual((found["fused"]["QLinearConv"], found["fused"]["QLinearAdd"], found["fused"]["MaxPool"]), (20, 8, 1))
        self.assertNotIn("DequantizeLinear", found["fused"])
        self.assertLess(difference, 0.3)
        found, difference = self.compare(self.quantize(self.train("mobilenet_v3_small")), 32)
        self.assertGreater(found["fused"]["QLinearConv"], 10)
        self.assertEqual(found["operators"]["HardSwish"], 19)
        self.assertEqual(found["operators"]["HardSigmoid"], 9)
        self.assertLess(difference, 0.3)


if __name__ == "__main__":
    unittest.main()
