"""A quantised checkpoint as a network in QDQ form: integers between QuantizeLinear and DequantizeLinear, which others fuse.

Weights are the checkpoint's integers and scales, biases rounded as edgeprune rounds them, outputs have the checkpoint's
ranges. What edgeprune keeps in 7 bits has all 256 steps of the same range here: ONNX has no type of 7 bits, and a clip
would keep others from fusing. A convolution whose output is added to a residual is rounded before the sum, too, within
the range that it has on the images at hand; edgeprune rounds the sum alone.
"""

import torch

import checkpoint
import onnx_model


class Quantize(torch.autograd.Function):
    """A tensor as bytes without sign."""

    @staticmethod
    def forward(_, x, scale, zero_point):
        return torch.clamp(torch.round(x / scale) + zero_point, 0, 255).to(torch.uint8)

    @staticmethod
    def symbolic(g, x, scale, zero_point):
        return g.op("QuantizeLinear", x, scale, zero_point)


class Dequantize(torch.autograd.Function):
    """What integers stand for: one scale, or one an index of the first dimension."""

    @staticmethod
    def forward(_, q, scale, zero_point):
        shape = scale.shape + (1,) * (q.dim() - scale.dim() if scale.dim() else 0)
        return (q.float() - zero_point.float().reshape(shape)) * scale.reshape(shape)

    @staticmethod
    def symbolic(g, q, scale, zero_point):
        return g.op("DequantizeLinear", q, scale, zero_point, axis_i=0)


class Output(torch.nn.Module):
    """A grid that values are rounded to."""

    def __init__(self, scale, zero_point):
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("zero_point", torch.tensor(zero_point, dtype=torch.uint8))

    def forward(self, x):
        return Dequantize.apply(Quantize.apply(x, self.scale, self.zero_point), self.scale, self.zero_point)


class Integers(torch.nn.Module):
    """A tensor of integers, which gives what they stand for."""

    def __init__(self, values, scales):
        super().__init__()
        self.register_buffer("values", values)
        self.register_buffer("scales", scales)
        self.register_buffer("zero_point", torch.zeros(scales.shape, dtype=values.dtype))

    def forward(self):
        return Dequantize.apply(self.values, self.scales, self.zero_point)


class Layer(torch.nn.Module):
    """A convolution or linear layer, `like` one of floats."""

    def __init__(self, like, weight, scales, bias, input_scale):
        super().__init__()
        self.weight = Integers(weight, scales)
        bias_scales = (input_scale * scales.double())
        self.bias = Integers(torch.round(bias.double() / bias_scales).to(torch.int32), bias_scales.float())
        self.convolution = None if isinstance(like, torch.nn.Linear) else (like.stride, like.padding, like.dilation,
                                                                           like.groups)

    def forward(self, x):
        weight, bias = self.weight(), self.bias()
        if self.convolution is None:
            return torch.nn.functional.linear(x, weight, bias)
        return torch.nn.functional.conv2d(x, weight, bias, *self.convolution)


def grid_of(found):
    """(scale, zero point) of all 256 steps."""
    levels = found["highest"] - found["lowest"]
    return found["scale"] * levels / 255, found["zero_point"] if levels == 255 else 0


class QuantizedNetwork(onnx_model.Network):
    def __init__(self, graph, grids, integers, floats):
        super().__init__(graph)
        self.outputs = {name: Output(*grid_of(grid)) for name, grid in grids.items()}
        self.read_grids, self.unknown = self.grids_read(), self.branches()
        self.seen = {}
        for node in self.nodes:
            like = self.layers.get(node["name"])
            if like is None:
                continue
            scale = self.outputs[self.read_grids[node["name"]]].scale.double()
            numbers = [integers[f"{node['name']}.weight"], *(floats[f"{node['name']}.{what}"] for what in
                                                           ("weight_scale", "bias"))]
            self.layers[node["name"]] = Layer(like, *numbers, scale)
        # Registered under one name each, so that the exporter finds them.
        self.all = torch.nn.ModuleList([*self.layers.values(), *self.outputs.values()])

    def grids_read(self):
        """Of each node the one whose grid its input has: its own input, or what that one passes on."""
        source = {}
        for node in self.nodes[1:]:
            reads = node["inputs"][0]
            source[node["name"]] = reads if reads in self.outputs else source.get(reads, reads)
        return source

    def branches(self):
        """Convolutions that are added to something and have no grid of their own."""
        kinds = {node["name"]: node["kind"] for node in self.nodes}
        return {name for node in self.nodes if node["kind"] == "add" for name in node["inputs"]
                if kinds[name] == "convolution" and name not in self.outputs}

    def observe(self, images):
        """Gives those their range on these images."""
        with torch.no_grad():
            self(images)
        for name, (low, high) in self.seen.items():
            low, high = min(low, 0.0), max(high, 1e-6)
            scale = (high - low) / 255
            self.outputs[name] = Output(scale, round(-low / scale))
            self.all.append(self.outputs[name])
        self.unknown = set()

    def put_out(self, name, value):
        if name in self.unknown:
            self.seen[name] = value.min().item(), value.max().item()
        return self.outputs[name](value) if name in self.outputs else value


def load(path):
    """Without the ranges that observe() finds."""
    def tensors(dtype, kind):
        return {name: torch.frombuffer(bytearray(values), dtype=kind).reshape(shape)
                for name, (shape, values) in checkpoint.read_tensors(path, dtype)[1].items()}

    graph = checkpoint.read_header(path)[0]
    return QuantizedNetwork(graph, checkpoint.quantization(path), tensors("I8", torch.int8), tensors("F32", torch.float32))
