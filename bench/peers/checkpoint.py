"""edgeprune's checkpoints: safetensors with torchvision's keys and the graph as metadata. Standard library only."""

import json
import os
import struct


def side(graph):
    """Of the square images that it reads, in pixels."""
    return graph["nodes"][0]["height"]


def classes(graph):
    return graph["nodes"][-1]["out_features"]


def read_header(path):
    """(graph, {name: header of its tensor}, where the values start)"""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            length, = struct.unpack("<Q", file.read(8))
            if length > size - 8:
                raise ValueError
            tensors = json.loads(file.read(length))
            graph = json.loads(tensors.pop("__metadata__")["graph"])
            if not isinstance(side(graph), int) or not isinstance(classes(graph), int):
                raise ValueError
            return graph, tensors, 8 + length
        except (struct.error, ValueError, KeyError, IndexError, AttributeError, TypeError):
            raise ValueError(f"{path}: no checkpoint of edgeprune (one of before version 0.2 has no graph: "
                             "edgeprune import writes it anew)") from None


def quantization(path):
    """{node: grid of its output}; empty of a network of floats."""
    return json.loads(_metadata(path).get("quantization", "{}"))


def _metadata(path):
    read_header(path)  # which names what is no checkpoint
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))["__metadata__"]
