"""Every network that --network names, from training to latency; what is no network, or another one, is refused in one line."""

import json
import struct
import unittest

from support import CommandTest, networks


def with_attribute(data, node, key, value):
    """The bytes of a checkpoint with another attribute of one node."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    graph = json.loads(header["__metadata__"]["graph"])
    next(entry for entry in graph["nodes"] if entry["name"] == node)[key] = value
    header["__metadata__"]["graph"] = json.dumps(graph)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


class Networks(CommandTest):
    DATA = ("--data", "synthetic:48")

    def train(self, network):
        out = self.folder / f"{network}.safetensors"
        self.succeed("train", *self.DATA, "--weights", "random", "--network", network, "--width", 0.25, "--input-size", 32,
                     "--epochs", 1, "--batch", 16, "--threads", 1, "--out", out)
        return out

    def prune(self, model, name, *flags):
        out = self.folder / f"{name}.safetensors"
        self.succeed("prune", "--model", model, "--sparsity", 0.5, "--out", out, *flags)
        return out

    def test_each_goes_from_training_to_latency(self):
        self.assertIn("resnet50", networks())
        for network in networks():
            with self.subTest(network):
                model = self.train(network)
                info = self.json_of("info", "--model", model)
                self.assertEqual((info["network"], info["width"], info["input_size"]), (network, 0.25, 32))
                rows = self.json_of("eval", "--model", model, *self.DATA, "--engine", "dense,sparse,auto,onednn")
                for row in rows:
                    self.assertLessEqual(row["logit_difference"], 1e-4, row["engine"])
                sparse = self.prune(model, "sparse", "--method", "magnitude")
                layers = {row["layer"]: row for row in self.json_of("info", "--model", sparse)["layers"]}
                self.assertAlmostEqual(layers["all prunable"]["sparsity_percent"], 50, delta=0.01)
                self.succeed("train", *self.DATA, "--model", sparse, "--epochs", 1, "--batch", 16, "--threads", 1,
                             "--out", self.folder / "tuned.safetensors")
                masked = self.prune(model, "masked", "--method", "channel", "--mode", "group-mask")
                small = self.folder / "small.safetensors"
                rows = self.json_of("compact", "--model", masked, "--out", small, *self.DATA)
                after = {row["what"]: row for row in rows}
                self.assertLessEqual(after["largest logit difference"]["after"], 1e-4)
                self.assertLess(after["parameters"]["left_percent"], 40)
                lines = self.json_of("latency", "--model", model, "--model", sparse, "--model", small, "--engine",
                                     "dense,onednn,sparse", "--batch", 1, "--threads", 1, "--seconds", 0, "--min-samples", 2)
                self.assertEqual(len(lines), 9)

    def test_what_zeros_cannot_make_faster_is_said(self):
        note = "% of its multiply-adds run on dense kernels"
        for network, share in (("mobilenet_v3_small", "39.3 "), ("resnet18", None)):
            model = self.train(network)
            for command in (("latency", "--engine", "dense,sparse"), ("breakeven", "--levels", "0,0.5", "--out", self.folder / f"be-{network}")):
                _, _, errors = self.run_command(*command, "--model", model, "--batch", 1, "--threads", 1, "--seconds", 0,
                                                "--min-samples", 2)
                if share:
                    self.assertIn(f"{network}.safetensors: {share}{note}", errors)
                else:
                    self.assertNotIn(note, errors)

    def test_another_network_is_refused_by_name(self):
        model, out = self.train("mobilenet_v1"), self.folder / "out.safetensors"
        self.fail("import", model, out, "--network", "resnet18", says="it is mobilenet_v1, expected resnet18")
        train = ("train", *self.DATA, "--out", out)
        self.fail(*train, "--weights", model, "--network", "resnet18", says="it is mobilenet_v1, expected resnet18")
        self.fail(*train, "--model", model, "--network", "resnet18", says="--network is for --weights", code=2)
        self.fail(*train, "--weights", "random", "--network", "vgg16", says="vgg16 not in {mobilenet_v2,", code=2)
        for network in networks():
            self.fail(*train, "--weights", "random", "--network", network, "--input-size", 31, says="31 not in range", code=2)

    def test_a_graph_that_is_no_network_is_refused_by_node_and_shapes(self):
        model, bad = self.train("resnet18"), self.folder / "bad.safetensors"
        for change, says in (
            (("layer1.0.conv1", "inputs", ["layer1.0.relu"]),
             "node 'layer1.0.conv1' (convolution): it reads 'layer1.0.relu', which runs after it: a cycle"),
            (("layer1.0.conv1", "inputs", ["nowhere"]), "node 'layer1.0.conv1' reads 'nowhere', which is missing"),
            (("layer1.0.relu1", "kind", "softplus"), "node 'layer1.0.relu1': unknown kind 'softplus'"),
            (("layer2.0.downsample.0", "out_channels", 9),
             "node 'layer2.0' (add): its inputs are [9,4,4] and [32,4,4], expected equal shapes"),
            (("layer4.0.conv1", "padding", 0),
             "node 'layer4.0.conv1' (convolution): a window of 3x3, padding 0, shrinks its input [64,2,2] to nothing"),
        ):
            bad.write_bytes(with_attribute(model.read_bytes(), *change))
            self.fail("info", "--model", bad, says=says)


if __name__ == "__main__":
    unittest.main()
