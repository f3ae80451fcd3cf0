#!/usr/bin/env python3
"""Writes an edgeprune checkpoint as an ONNX model of one batch size, and PyTorch's logits for the images given.

The network is built from the architecture in the checkpoint, so that a model with pruned channels is one, too. Batch
norm is folded into the convolutions by the exporter (evaluation mode), constants by its constant folding.
"""

import argparse
import pathlib
import sys
import warnings

import checkpoint
import options as command_line

try:
    import torch
except ImportError as error:
    sys.exit(f"onnx_model.py: {error} (Debian: python3-torch)")


def unit(ins, outs, kernel=1, stride=1, groups=1, activation=True):
    """A convolution, its batch norm and its activation, as torchvision nests them."""
    layers = [torch.nn.Conv2d(ins, outs, kernel, stride, kernel // 2, groups=groups, bias=False),
              torch.nn.BatchNorm2d(outs)]
    return layers + [torch.nn.ReLU6()] if activation else layers


class Block(torch.nn.Module):
    def __init__(self, ins, spec):
        super().__init__()
        hidden = spec["hidden"]
        layers = [torch.nn.Sequential(*unit(ins, hidden))] if spec["expand"] else []
        layers.append(torch.nn.Sequential(*unit(hidden, hidden, 3, spec["stride"], hidden)))
        self.conv = torch.nn.Sequential(*layers, *unit(hidden, spec["out"], activation=False))
        self.residual = spec["residual"]

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(torch.nn.Module):
    """torchvision's names."""

    def __init__(self, architecture):
        super().__init__()
        layers, channels = [torch.nn.Sequential(*unit(3, architecture["stem"], 3, 2))], architecture["stem"]
        for spec in architecture["blocks"]:
            layers.append(Block(channels, spec))
            channels = spec["out"]
        layers.append(torch.nn.Sequential(*unit(channels, architecture["last"])))
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Sequential(torch.nn.Identity(),  # the dropout
                                              torch.nn.Linear(architecture["last"], architecture["classes"]))

    def forward(self, x):
        pooled = torch.nn.functional.adaptive_avg_pool2d(self.features(x), 1)  # ONNX's GlobalAveragePool
        return self.classifier(pooled.flatten(1))


def load(path):
    architecture, tensors = checkpoint.read_tensors(path)
    model = MobileNetV2(architecture)
    state = {name: torch.frombuffer(bytearray(values), dtype=torch.float32).reshape(shape)
             for name, (shape, values) in tensors.items()}
    wrong = model.load_state_dict(state, strict=False)
    missing = [name for name in wrong.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or wrong.unexpected_keys:
        raise ValueError(f"{path}: missing {missing}, unknown {wrong.unexpected_keys}")
    return model.eval(), architecture["input_size"]


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
    model, side = load(options.model)
    images = read_images(options.images, options.batch, side)
    with torch.no_grad():
        pathlib.Path(options.logits).write_bytes(model(images).numpy().tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, images, options.onnx, input_names=["images"], output_names=["logits"],
                          opset_version=13)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, RuntimeError) as error:  # the last one is torch's: no memory, another shape
        sys.exit(f"onnx_model.py: {str(error).splitlines()[0]}")
