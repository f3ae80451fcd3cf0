#!/usr/bin/env python3
"""Writes an edgeprune checkpoint as an ONNX model of one batch size, and PyTorch's logits for the images given.

The network is built from the graph in the checkpoint, so that a model with pruned channels is one, too. Batch
norm is folded into the convolutions by the exporter (evaluation mode), constants by its constant folding. A quantised
checkpoint becomes a model in QDQ form (quantized_network.py).
"""

import argparse
import pathlib
import sys
import warnings

import checkpoint
import options as command_line

try:
    import torch
    from torch.nn import functional
except ImportError as error:
    sys.exit(f"onnx_model.py: {error} (Debian: python3-torch)")


def make_module(node, channels):
    """What holds the node's parameters, of an input of so many channels; None if it has none."""
    kind = node["kind"]
    if kind in ("convolution", "depthwise"):
        outs, groups = (node["out_channels"], 1) if kind == "convolution" else (channels, channels)
        return torch.nn.Conv2d(channels, outs, node["kernel"], node["stride"], node["padding"], groups=groups,
                               bias=node["bias"])
    if kind == "batch_norm":
        return torch.nn.BatchNorm2d(channels, node["eps"], node["momentum"])
    return torch.nn.Linear(channels, node["out_features"]) if kind == "linear" else None


ACTIVATIONS = {"none": lambda x: x, "relu": functional.relu, "relu6": functional.relu6,
               "hard_swish": functional.hardswish, "hard_sigmoid": functional.hardsigmoid}
# Of kinds without parameters: node, its inputs -> its output.
KINDS = {
    "activate": lambda node, x: ACTIVATIONS[node["activation"]](x),
    "add": lambda node, a, b: a + b,
    "multiply": lambda node, x, factors: x * factors,
    "max_pool": lambda node, x: functional.max_pool2d(x, node["kernel"], node["stride"], node["padding"]),
    "global_average_pool": lambda node, x: functional.adaptive_avg_pool2d(x, 1),  # ONNX's GlobalAveragePool
    "dropout": lambda node, x: x,  # evaluation
}


class Network(torch.nn.Module):
    """A checkpoint's graph; parameters are called after its nodes."""

    def __init__(self, graph):
        super().__init__()
        self.nodes, self.layers, channels = graph["nodes"], {}, {}
        for node in self.nodes:
            name, ins = node["name"], [channels[name] for name in node["inputs"]]
            module = make_module(node, ins[0] if ins else 0)
            if module is not None:
                self.layers[name] = module
                *path, last = name.split(".")
                place = self
                for part in path:
                    if part not in place._modules:
                        place.add_module(part, torch.nn.Module())
                    place = place._modules[part]
                place.add_module(last, module)
            elif node["kind"] not in KINDS and node["kind"] != "input":
                raise ValueError(f"node {name}: unknown kind {node['kind']}")
            channels[name] = next((node[key] for key in ("out_channels", "out_features", "channels") if key in node),
                                  ins[0] if ins else 0)

    def forward(self, images):
        values = {self.nodes[0]["name"]: self.put_out(self.nodes[0]["name"], images)}
        for node in self.nodes[1:]:
            name, inputs = node["name"], [values[name] for name in node["inputs"]]
            if node["kind"] == "linear":
                inputs = [self.put_out(node["inputs"][0], inputs[0].flatten(1))]
            layer = self.layers.get(name)
            values[name] = self.put_out(name, layer(*inputs) if layer else KINDS[node["kind"]](node, *inputs))
        return values[self.nodes[-1]["name"]]

    def put_out(self, name, value):
        """What the readers of a node get of its output."""
        return value


def load(path, images):
    """The network, and for a quantised one what it needs to see."""
    if checkpoint.quantization(path):
        import quantized_network  # which is made of what stands here

        model = quantized_network.load(path).eval()
        model.observe(images)
        return model
    graph, tensors = checkpoint.read_tensors(path)
    model = Network(graph)
    state = {name: torch.frombuffer(bytearray(values), dtype=torch.float32).reshape(shape)
             for name, (shape, values) in tensors.items()}
    wrong = model.load_state_dict(state, strict=False)
    missing = [name for name in wrong.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or wrong.unexpected_keys:
        raise ValueError(f"{path}: missing {missing}, unknown {wrong.unexpected_keys}")
    return model.eval()


def export_mode(path):
    """Exported as for training, equal tensors stay apart: ONNX Runtime 1.32 cannot rewrite weights (x64quantprecision) whose
    zero points are one tensor. A quantised network has nothing that training would change."""
    return torch.onnx.TrainingMode.TRAINING if checkpoint.quantization(path) else torch.onnx.TrainingMode.EVAL


def read_images(path, batch, side):
    """[N,3,S,S] of a file of float32 values [N,S,S,3]"""
    count = batch * side * side * 3
    content = bytearray(pathlib.Path(path).read_bytes()[: 4 * count])
    return torch.frombuffer(content, dtype=torch.float32).reshape(batch, side, side, 3).permute(0, 3, 1, 2).contiguous()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="checkpoint")
    parser.add_argument("--images", required=True, help="float32 values [N,S,S,3], normalised")
    parser.add_argument("--batch", type=command_line.positive, default=1)
    parser.add_argument("--onnx", required=True, help="file to write")
    parser.add_argument("--logits", required=True, help="file to write: float32 values [N,classes]")
    return parser.parse_args()


def main():
    options = arguments()
    images = read_images(options.images, options.batch, checkpoint.side(checkpoint.read_header(options.model)[0]))
    model = load(options.model, images)
    with torch.no_grad():
        pathlib.Path(options.logits).write_bytes(model(images).numpy().tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, images, options.onnx, input_names=["images"], output_names=["logits"],
                          opset_version=13, training=export_mode(options.model))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, RuntimeError) as error:  # the last one is torch's: no memory, another shape
        sys.exit(f"onnx_model.py: {str(error).splitlines()[0]}")
