"""edgeprune's checkpoints: safetensors with torchvision's keys and the architecture as metadata. Standard library only."""

import json
import os
import struct


def read_header(path):
    """(architecture, {name: header of its tensor}, where the values start)"""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            length, = struct.unpack("<Q", file.read(8))
            if length > size - 8:
                raise ValueError
            tensors = json.loads(file.read(length))
            architecture = json.loads(tensors.pop("__metadata__")["architecture"])
            if not all(isinstance(architecture[key], int) for key in ("input_size", "classes")):
                raise ValueError
            return architecture, tensors, 8 + length
        except (struct.error, ValueError, KeyError, AttributeError, TypeError):
            raise ValueError(f"{path}: no checkpoint of edgeprune") from None


def read_tensors(path):
    """(architecture, {name: (shape, float32 bytes)}); counters that are no float32 are left out"""
    architecture, tensors, start = read_header(path)
    values = {}
    with open(path, "rb") as file:
        for name, tensor in tensors.items():
            if tensor["dtype"] != "F32":
                continue
            begin, end = tensor["data_offsets"]
            file.seek(start + begin)
            content = file.read(end - begin)
            if len(content) != end - begin:
                raise ValueError(f"{path}: ends inside of {name}")
            values[name] = (tensor["shape"], content)
    return architecture, values
