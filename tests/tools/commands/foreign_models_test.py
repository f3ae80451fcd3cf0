"""Models that others wrote: PyTorch checkpoints in all their dialects, safetensors of other tools."""

import argparse
import array
import collections
import json
import math
import pathlib
import struct
import tempfile
import unittest

import torch_files
from support import CommandTest, read_safetensors, write_bmp, write_image_folder
from torch_files import Made, Tensor, stand_in

Ordered = collections.OrderedDict
NAMES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"]


def read_state(path):
    """{name: Tensor} of a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    return Ordered((name, Tensor(e["dtype"], e["shape"], body[e["data_offsets"][0] : e["data_offsets"][1]]))
                   for name, e in header.items())


def write_safetensors(path, state, metadata=None):
    header, body = ({} if metadata is None else {"__metadata__": metadata}), b""
    for name, tensor in state.items():
        content = tensor.storage.content
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [len(body), len(body) + len(content)]}
        body += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def floats_of(tensor):
    return array.array("f", tensor.storage.content)


def with_floats(state, change):
    """change(name, floats) gives other floats, for every float tensor."""
    return Ordered((n, Tensor("F32", t.shape, array.array("f", change(n, floats_of(t))).tobytes())
                    if t.dtype == "F32" else t) for n, t in state.items())


def edited(state, name, index, value):
    def change(n, values):
        if n == name:
            values[index] = value
        return values
    return with_floats(state, change)


def as_half(state):
    return Ordered((n, Tensor("F16", t.shape, struct.pack(f"<{len(floats_of(t))}e", *floats_of(t)))
                    if t.dtype == "F32" else t) for n, t in state.items())


def as_bfloat(state):
    def upper(tensor):
        return b"".join(tensor.storage.content[i + 2 : i + 4] for i in range(0, len(tensor.storage.content), 4))
    return Ordered((n, Tensor("BF16", t.shape, upper(t)) if t.dtype == "F32" else t) for n, t in state.items())


def is_weight(state, name):
    """Of a convolution or the head."""
    return name.endswith(".weight") and name.replace("weight", "running_var") not in state


def zeros_of(path):
    tensors, _ = read_safetensors(path)
    return {name: {i for i, value in enumerate(values) if value == 0}
            for name, values in tensors.items() if is_weight(tensors, name)}


class ForeignModels(CommandTest):
    SMALL = ("--data", "synthetic:48", "--batch", 16, "--threads", 1)

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="edgeprune foreign ")
        cls.addClassCleanup(folder.cleanup)
        cls.base = pathlib.Path(folder.name) / "base.safetensors"
        done = cls.start("train", *cls.SMALL, "--weights", "random", "--width", 0.25, "--out", cls.base, "--epochs", 1)
        _, errors = done.communicate(timeout=120)
        assert done.returncode == 0, errors
        cls.state = read_state(cls.base)
        cls.image = pathlib.Path(folder.name) / "image.bmp"
        write_bmp(cls.image, 64, 64, lambda x, y: (4 * x, 4 * y, 128))

    def logits(self, path):
        (row,) = json.loads(self.succeed("predict", "--model", path, self.image, "--logits", "--format", "json",
                                         "--threads", 1))
        row.pop("image")
        return [entry["logit"] for entry in row["logits"]]

    def remarks(self, *arguments):
        code, _, errors = self.run_command(*arguments)
        self.assertEqual(code, 0, errors)
        return errors

    def save(self, name, obj, **options):
        path = self.folder / (name + ".pth")
        torch_files.save(path, obj, **options)
        return path

    def saved(self, name, state, metadata=None):
        path = self.folder / (name + ".safetensors")
        write_safetensors(path, state, metadata)
        return path

    def pruned(self):
        """Every other weight is zero."""
        return with_floats(self.state, lambda n, values: [0.0 if is_weight(self.state, n) and i % 2 else v
                                                          for i, v in enumerate(values)])

    def test_dialects_of_pytorch_give_the_same_logits(self):
        state = self.state
        zero = with_floats(state, lambda n, values: [0.0] * len(values))
        scalar = Made(stand_in("numpy.core.multiarray.scalar", kind=None),
                      Made(stand_in("numpy.dtype"), "f8", False, True, state=(3, "<", None, None, None, -1, -1, 0)), b"12345678")
        cases = {
            "plain": (state, "edgeprune import"),
            "module_prefix": (Ordered(("module." + n, t) for n, t in state.items()), "edgeprune import"),
            "model_entry": ({"model": state, "epoch": 3}, "edgeprune import"),
            "model_state_dict": ({"model_state_dict": state, "optimizer_state_dict": {"lr": 0.1, "seed": 2**64 - 1}}, "width 0.25"),
            "namespace_beside": ({"state_dict": state, "args": argparse.Namespace(lr=0.1)}, "not run: argparse.Namespace"),
            "numpy_scalar_beside": ({"state_dict": state, "best": scalar}, "numpy.core.multiarray.scalar"),
            "ema_beside": ({"state_dict": zero, "state_dict_ema": state}, "averaged weights are taken, 'state_dict_ema'"),
            "whole_module": (torch_files.module_of(state), "holds a whole module, torchvision.models.mobilenetv2.MobileNetV2"),
        }
        expected = self.logits(self.base)
        for name, (obj, says) in cases.items():
            path = self.save(name, obj)
            self.assertEqual(self.logits(path), expected, name)
            self.assertIn(says.replace("not run", "nothing of them is run"), self.remarks("info", "--model", path), name)
        self.assertEqual(self.logits(self.save("torch2_layout", state, torch2=True)), expected)
        for name, metadata in (("no_metadata", None), ("metadata_pt", {"format": "pt"})):
            self.assertEqual(self.logits(self.saved(name, state, metadata)), expected, name)

    def test_half_types_are_converted_exactly(self):
        half, bfloat = as_half(self.state), as_bfloat(self.state)
        as_floats = Ordered((n, Tensor("F32", t.shape, array.array("f", struct.unpack(f"<{math.prod(t.shape)}e", t.storage.content)).tobytes())
                             if t.dtype == "F16" else t) for n, t in half.items())
        expected = self.logits(self.saved("rounded", as_floats))
        self.assertNotEqual(expected, self.logits(self.base))
        self.assertEqual(self.logits(self.save("half", half)), expected)
        self.assertEqual(self.logits(self.saved("half", half, {"format": "pt"})), expected)
        as_floats = with_floats(self.state, lambda n, values: struct.unpack(
            f"<{len(values)}f", b"".join(b"\0\0" + values[i : i + 1].tobytes()[2:] for i in range(len(values)))))
        expected = self.logits(self.saved("truncated", as_floats))
        self.assertEqual(self.logits(self.save("bfloat", bfloat)), expected)
        self.assertIn("converted from BF16", self.remarks("info", "--model", self.folder / "bfloat.pth"))

    def test_zeros_stay_whoever_pruned(self):
        removed = self.pruned()
        masked = Ordered()
        for name, tensor in self.state.items():
            if is_weight(self.state, name):
                masked[name + "_orig"] = tensor
                count = math.prod(tensor.shape)
                masked[name + "_mask"] = Tensor("F32", tensor.shape, array.array("f", [1 - i % 2 for i in range(count)]).tobytes())
            else:
                masked[name] = tensor
        expected = self.logits(self.saved("expected", removed))
        for name, state in (("prune_masks", masked), ("prune_removed", removed)):
            path = self.save(name, state)
            self.assertEqual(self.logits(path), expected, name)
            imported = self.folder / (name + ".safetensors")
            self.assertIn("pruned, they stay zero", self.remarks("import", path, imported))
            zeros = zeros_of(imported)
            self.assertEqual(sum(map(len, zeros.values())), sum(math.prod(t.shape) // 2 for n, t in self.state.items()
                                                                if is_weight(self.state, n)))
            out = self.folder / "out.safetensors"
            for start in (("--model", imported), ("--model", path), ("--weights", imported), ("--weights", path)):
                said = self.remarks("train", *self.SMALL, *start, "--epochs", 1, "--out", out)
                self.assertRegex(said, r"\d+ of \d+ prunable weights are zero and stay zero")
                self.assertEqual(zeros_of(out), zeros, start)

    def test_damage_is_refused_by_every_command_naming_tensor_and_index(self):
        name, variance = "features.5.conv.1.0.weight", "features.5.conv.1.1.running_var"
        out = self.folder / "out.safetensors"
        for path, says in (
                (self.save("nan", edited(self.state, name, 3, math.nan)), f"tensor '{name}' has nan at index 3"),
                (self.saved("inf", edited(self.state, name, 4, -math.inf)), f"tensor '{name}' has -inf at index 4"),
                (self.save("variance", edited(self.state, variance, 0, -1.0)), f"tensor '{variance}' has -1 at index 0")):
            for command in (("info", "--model", path), ("eval", "--model", path, "--data", "synthetic:20"),
                            ("predict", "--model", path, self.image), ("latency", "--model", path),
                            ("breakeven", "--model", path, "--out", self.folder / "b"),
                            ("sensitivity", "--model", path, "--data", "synthetic:20", "--out", self.folder / "s"),
                            ("compact", "--model", path, "--dry-run"), ("import", path, out),
                            ("prune", "--model", path, "--method", "magnitude", "--sparsity", 0.5, "--out", out),
                            ("train", *self.SMALL, "--model", path, "--out", out),
                            ("train", *self.SMALL, "--weights", path, "--out", out)):
                self.fail(*command, says=says)

    def test_ours_are_checked_too_and_subnormals_are_zero(self):
        data = self.base.read_bytes()
        damaged = self.folder / "damaged.safetensors"
        damaged.write_bytes(data[:-4] + struct.pack("<f", math.nan))
        self.fail("info", "--model", damaged, says="has nan at index")
        path = self.saved("tiny", with_floats(self.state, lambda n, values: [1e-39 if n == "classifier.1.weight" else v
                                                                             for v in values]))
        self.assertIn("12800 subnormal values (smaller than 1.2e-38) are taken as zero", self.remarks("info", "--model", path))
        rows = {row["layer"]: row for row in self.json_of("info", "--model", path)["layers"]}
        self.assertEqual(rows["classifier.1"]["nonzeros"], 0)

    def test_every_command_takes_them_and_the_datas_names(self):
        data = self.folder / "data"
        write_image_folder(data, NAMES, images=4)
        small = ("--data", data, "--threads", 1)
        imported, out = self.folder / "imported.safetensors", self.folder / "out.safetensors"
        foreign = self.saved("no_metadata", self.state)
        self.succeed("import", self.save("plain", self.state), imported)
        for path in (foreign, imported):
            self.assertEqual(self.json_of("eval", "--model", path, *small)[0]["images"], 40)
            said = self.remarks("train", *small, "--model", path, "--batch", 8, "--epochs", 1, "--out", out)
            self.assertIn("names no classes: they are the data's, ant, bee", said)
            self.assertEqual(json.loads(read_safetensors(out)[1]["classes"]), NAMES)
            self.succeed("prune", *small, "--model", path, "--method", "magnitude", "--schedule", "exact", "--step", 0.25,
                         "--sparsity", 0.5, "--epochs", 1, "--batch", 8, "--out", out)
            self.assertEqual(json.loads(read_safetensors(out)[1]["classes"]), NAMES)
            self.json_of("sensitivity", *small, "--model", path, "--limit", 20, "--bn-recalibrate", 0, "--levels", 0.5,
                         "--seconds", 0, "--min-samples", 1, "--warmup", 0, "--out", self.folder / f"scan{path.stem}")
            self.succeed("compact", "--model", path, "--dry-run")
            self.succeed("latency", "--model", path, "--seconds", 0, "--min-samples", 1, "--warmup", 0, "--batch", 1)
        write_image_folder(self.folder / "few", NAMES[:3])
        self.fail("eval", "--model", imported, "--data", self.folder / "few", says="the model has 10 classes")

    def test_names_of_classes(self):
        out = self.folder / "out.safetensors"
        self.succeed("import", self.saved("s", self.state), out, "--class-names", ",".join(NAMES))
        self.assertEqual(json.loads(read_safetensors(out)[1]["classes"]), NAMES)
        lines = self.folder / "names.txt"
        lines.write_text("\r\n".join(NAMES) + "\r\n")
        row = self.json_of("predict", "--model", self.folder / "s.safetensors", "--class-names", lines, self.image, "--logits")[0]
        self.assertEqual({entry["class"] for entry in row["logits"]}, set(NAMES))
        self.fail("info", "--model", self.base, "--class-names", "cat,dog", says="2 names for 10 classes")
        self.fail("info", "--model", self.base, "--class-names", self.folder / "no.txt", says="1 name for 10 classes (there is no such file either)")
        self.fail("info", "--model", self.base, "--class-names", ",".join(["cat"] * 10), says="--class-names: cat is given twice",
                  code=2)
        names = self.folder / "cats.txt"
        names.write_text("cat\n" * 10)
        self.fail("info", "--model", self.base, "--class-names", names, says="a name is there twice")

    def test_width_and_input_size(self):
        out = self.folder / "half.safetensors"
        self.succeed("train", *self.SMALL, "--weights", "random", "--width", 0.5, "--input-size", 32, "--epochs", 0, "--out", out)
        foreign = self.saved("width_half", read_state(out))
        self.assertIn("width 0.5, 64x64", self.succeed("info", "--model", foreign))
        self.assertIn("width 0.5, 96x96", self.succeed("info", "--model", foreign, "--input-size", 96))
        self.assertIn("width 0.5, 32x32", self.succeed("info", "--model", out))
        tuned = self.folder / "tuned.safetensors"
        self.succeed("train", *self.SMALL, "--weights", out, "--epochs", 0, "--out", tuned)
        self.assertIn("width 0.5, 32x32", self.succeed("info", "--model", tuned))
        self.fail("train", *self.SMALL, "--weights", out, "--width", 1, "--out", self.folder / "x.safetensors",
                  says="(width 0.5? pass --width 0.5)")
        self.fail("train", *self.SMALL, "--model", out, "--width", 0.5, "--out", self.folder / "x.safetensors",
                  says="--width is for --weights", code=2)

    def test_channels_that_were_removed_are_found_from_the_shapes(self):
        whole, small = self.folder / "whole.safetensors", self.folder / "small.safetensors"
        self.succeed("train", *self.SMALL, "--weights", "random", "--width", 0.5, "--epochs", 1, "--out", whole)
        self.succeed("prune", "--model", whole, "--method", "channel", "--mode", "compact", "--sparsity", 0.5, "--out", small)
        stripped = self.saved("stripped", read_state(small))
        self.assertEqual(self.logits(stripped), self.logits(small))
        self.assertIn("taken as of width 1 with some removed", self.remarks("info", "--model", stripped))

    def test_other_networks_are_refused_in_one_short_line(self):
        resnet = Ordered((f"layer{i}.0.conv{j}.weight", Tensor("F32", [4], bytes(16))) for i in range(1, 5) for j in range(1, 100))
        for path in (self.save("resnet", resnet), self.saved("resnet", resnet)):
            message = self.fail("info", "--model", path, says="layer1.0.conv1.weight looks like a ResNet")
            self.assertLess(len(message), 600)
            self.assertIn("missing classifier.1.bias", message)
            self.assertRegex(message, r"; and \d+ more")

    def test_hostile_pickles_run_nothing(self):
        trace = self.folder / "owned"
        call = Made(stand_in("os.system", kind=None), f"touch '{trace}'")
        self.assertEqual(self.logits(self.save("beside", {"state_dict": self.state, "x": call})), self.logits(self.base))
        self.fail("info", "--model", self.save("inside", {**self.state, "x": call}), says="made by os.system, which is not run")
        self.assertFalse(trace.exists())

    def test_constant_and_dead_networks_are_said_and_refused_if_strict(self):
        def head(n, values):
            return [0.0] * len(values) if n.startswith("classifier.1.w") else [float(i == 3) for i in range(10)] if n.startswith("classifier") else values
        dead = self.saved("dead", with_floats(self.state, head))
        constant = self.saved("constant", edited(self.state, "classifier.1.bias", 3, 1e6))
        out = self.folder / "out.safetensors"
        for path, says in ((dead, "no weight of classifier.1 is left"), (constant, "images are called 'triangle'")):
            self.assertIn("warning: ", self.remarks("eval", "--model", path, "--data", "synthetic:40"))
            self.assertIn(says, self.remarks("eval", "--model", path, "--data", "synthetic:40"))
            code, output, errors = self.run_command("eval", "--model", path, "--data", "synthetic:40", "--strict")
            self.assertEqual((code, output), (1, ""))
            self.assertIn("edgeprune: [strict] ", errors)
        self.assertNotIn("warning", self.remarks("eval", "--model", self.base, "--data", "synthetic:40", "--limit", 1))
        prune = ("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.95, "--out", out)
        self.fail(*prune, "--strict", says="[strict] no weight of ")
        said = self.remarks(*prune, "--data", "synthetic:48", "--epochs", 1, "--batch", 16)
        self.assertGreaterEqual(said.count("warning: no weight of "), 3, "of the plan, and with each accuracy")
        said = self.remarks("train", *self.SMALL, "--model", out, "--epochs", 2, "--test-each-epoch", "--out", out)
        self.assertGreaterEqual(said.count("warning: no weight of "), 3)


if __name__ == "__main__":
    unittest.main()
