"""Runs an .onnx file of edgeprune's on ONNX Runtime, for export_test.py: prints JSON. Needs numpy, onnx and onnxruntime.

Of a quantised model each operator's bytes are compared with those that edgeprune's formula (engine/kernels/quantization.h) makes of
the bytes that the operator read and of the checkpoint's own integers.
"""

import argparse
import collections
import json
import pathlib
import struct

import numpy as np
import onnx
import onnxruntime


def session(model, folder, integers_as_they_are=False):
    """Integers of x86 without VNNI would saturate: precisely, then."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL if integers_as_they_are else level.ORT_ENABLE_EXTENDED
    if not integers_as_they_are:
        options.optimized_model_filepath = str(folder / "fused.onnx")
    return onnxruntime.InferenceSession(str(model), options)


def operators(model):
    return collections.Counter(node.op_type for node in model.graph.node)


class Checkpoint:
    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        self.header, self.values = json.loads(data[8 : 8 + length]), data[8 + length :]
        self.grids = json.loads(self.header["__metadata__"]["quantization"])
        nodes = json.loads(self.header["__metadata__"]["graph"])["nodes"]
        self.nodes = {node["name"]: node for node in nodes}

    def tensor(self, name):
        entry = self.header[name]
        begin, end = entry["data_offsets"]
        kind = {"I8": np.int8, "F32": np.float32}[entry["dtype"]]
        return np.frombuffer(self.values[begin:end], kind).reshape(entry["shape"])


def full_grid(grid):
    """(scale, zero point) of the same range in 256 steps"""
    finer = 255 / (grid["highest"] - grid["lowest"])
    return np.float32(grid["scale"] / finer), round((grid["zero_point"] - grid["lowest"]) * finer)


def convolved(x, weight, stride, padding, groups):
    """Whole numbers, exactly: [N,I,H,W] and [O,I/groups,k,k]."""
    k = weight.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = ((size - k) // stride + 1 for size in x.shape[2:])
    total = 0
    for row in range(k):
        for column in range(k):
            part = x[:, :, row : row + stride * height : stride, column : column + stride * width : stride][:, :, :height, :width]
            tap = weight[:, :, row, column]
            if groups == 1:
                total = total + np.einsum("nihw,oi->nohw", part, tap, optimize=True)
            else:
                total = total + part * tap[:, 0][None, :, None, None]
    return total


def rounded(values, scale, zero_point):
    """Bytes of numbers that are in steps of the scale already."""
    return np.clip(np.rint(values) + zero_point, 0, 255).astype(np.int64)


class Layers:
    """What each fused operator should make of what it read."""

    def __init__(self, fused, checkpoint, seen):
        self.constants = {t.name: onnx.numpy_helper.to_array(t) for t in fused.graph.initializer}
        self.checkpoint, self.seen = checkpoint, seen

    def read(self, names):
        """A value's bytes less their zero point, and their scale."""
        value, scale, zero_point = names
        return self.seen[value].astype(np.int64) - int(self.constants[zero_point]), np.float32(self.constants[scale])

    def target(self, scale, zero_point):
        return np.float32(self.constants[scale]), int(self.constants[zero_point])

    def expected(self, node):
        names = list(node.input)
        if node.op_type == "QLinearConv":
            return self.convolution(node.name.removesuffix("/Conv"), self.read(names[:3]), self.target(*names[6:8]))
        if node.op_type == "QLinearAdd":
            (a, a_scale), (b, b_scale), (scale, zero) = self.read(names[:3]), self.read(names[3:6]), self.target(*names[6:8])
            return rounded(a * (a_scale / scale) + b * (b_scale / scale), scale, zero)
        (x, x_scale), (scale, zero) = self.read(names[:3]), self.target(*names[3:5])
        return rounded(x.mean(axis=(2, 3), keepdims=True) * (x_scale / scale), scale, zero)  # the pool

    def convolution(self, name, source, target):
        (x, x_scale), (scale, zero) = source, target
        weight, scales = self.checkpoint.tensor(name + ".weight"), self.checkpoint.tensor(name + ".weight_scale")
        bias = np.rint(self.checkpoint.tensor(name + ".bias").astype(np.float64) / (np.float64(x_scale) * scales))
        node = self.checkpoint.nodes[name]
        sums = convolved(x.astype(np.float64), weight.astype(np.float64), node["stride"], node["padding"],
                         1 if node["kind"] == "convolution" else x.shape[1])
        shape = (1, -1, 1, 1)
        multiplier = (x_scale * scales / scale).astype(np.float32)
        sums = (sums + bias.reshape(shape)).astype(np.float32)
        return rounded(sums * multiplier.reshape(shape), scale, zero)


def compare_layers(fused_path, checkpoint, images):
    """(numbers, equal ones, largest difference, names of outputs whose grid is not the checkpoint's)"""
    fused = onnx.load(fused_path)
    nodes = [node for node in fused.graph.node if node.op_type.startswith("QLinear")]
    shown = set()
    for node in nodes:
        shown |= {node.output[0], node.input[0], *([node.input[3]] if node.op_type == "QLinearAdd" else [])}
    shown -= {t.name for t in fused.graph.initializer}
    for name in sorted(shown):
        fused.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None))
    onnx.save(fused, fused_path)
    run = session(fused_path, None, integers_as_they_are=True)
    names = [output.name for output in run.get_outputs()]
    seen = dict(zip(names, run.run(None, {"images": images})))
    layers = Layers(fused, checkpoint, seen)
    count = equal = largest = 0
    for node in nodes:
        difference = np.abs(layers.expected(node) - seen[node.output[0]].astype(np.int64))
        count, equal, largest = count + difference.size, equal + int((difference == 0).sum()), max(largest, int(difference.max()))
    return {"numbers": count, "equal": equal, "largest_difference": largest, "wrong_grids": wrong_grids(fused, checkpoint)}


def wrong_grids(fused, checkpoint):
    """What puts out bytes of no grid of the checkpoint's, summands aside."""
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in fused.graph.initializer}
    known = {full_grid(grid) for grid in checkpoint.grids.values()}
    wrong = []
    for node in fused.graph.node:
        place = {"QuantizeLinear": 1, "QLinearConv": 6, "QLinearAdd": 6, "QLinearGlobalAveragePool": 3}.get(node.op_type)
        if place and "/summand/" not in node.output[0]:
            scale, zero = node.input[place : place + 2]
            if (np.float32(constants[scale]), int(constants[zero])) not in known:
                wrong.append(node.name)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("images", help="bytes of the input, of its type")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--checkpoint", help="a quantised one: compare its layers, too")
    options = parser.parse_args()
    path = pathlib.Path(options.model)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    run = session(path, path.parent)
    (source,) = run.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[source.type]
    shape = (options.batch, *source.shape[1:])
    images = np.fromfile(options.images, kind).reshape(shape)
    (logits,) = run.run(None, {source.name: images})
    fused = path.parent / "fused.onnx"
    result = {"operators": operators(model), "fused": operators(onnx.load(fused)), "logits": logits.tolist(), "shape": source.shape,
              "metadata": {entry.key: entry.value for entry in model.metadata_props}}
    if options.checkpoint:
        result["layers"] = compare_layers(fused, Checkpoint(options.checkpoint), images)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
