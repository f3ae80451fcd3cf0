#!/usr/bin/env python3
"""Reference numbers from PyTorch. Needs torch and torchvision (Debian: python3-torch python3-torchvision).

make_golden.py writes mobilenet_v2_w25.safetensors beside itself: a MobileNetV2 of width 0.25 at 32x32 with random
weights, and what PyTorch computes from it. Small enough to be committed, so that parity is tested on every machine.
Keys: state.<name> (weights before training), input [N,3,32,32], labels [N], eval.logits, train.logits (train mode, dropout
0), train.losses (five Adam steps, lr 1e-4: at 1e-3 this random network amplifies rounding a thousandfold in five steps),
grad.norm.<parameter>, grad.<parameter> (some, whole), after_step1.<name> (statistics and some parameters).

make_golden.py SHARED writes mobilenet_v2_64_float64.safetensors: the first training step of the pretrained network on
SHARED/golden's batch, computed in float64. PyTorch's own float32 gradient norms are up to 0.1 % away from these, because
rounding decides on which side of ReLU6's corners a value falls; this file tells whose rounding is whose.
Keys: train.logits, grad.norm.<parameter>.
"""
import copy
import json
import pathlib
import struct
import sys

import numpy as np
import torch
import torchvision

WHOLE = ["features.0.0.weight", "features.1.conv.0.0.weight", "features.2.conv.0.0.weight",
         "features.2.conv.0.1.bias", "features.17.conv.2.weight", "classifier.1.bias"]


def write_safetensors(path, tensors):
    header, blob = {}, b""
    for name in sorted(tensors):
        array = np.array(tensors[name], order="C")
        kind = {"float32": "F32", "int64": "I64"}[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": list(array.shape),
                        "data_offsets": [len(blob), len(blob) + array.nbytes]}
        blob += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    kinds = {"F32": np.float32, "I64": np.int64, "U8": np.uint8}
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            array = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(array.copy())
    return tensors


def save(name, tensors):
    path = pathlib.Path(__file__).parent / name
    write_safetensors(path, {key: tensor.detach().numpy() for key, tensor in tensors.items()})
    print(f"{path}: {path.stat().st_size} bytes")


def pretrained_float64(shared):
    golden = read_safetensors(shared / "golden/mobilenet_v2_64.safetensors")
    state = torch.load(shared / "weights/mobilenet_v2-imagenet.pth")
    state["classifier.1.weight"], state["classifier.1.bias"] = golden["head.weight"], golden["head.bias"]
    model = torchvision.models.mobilenet_v2(num_classes=10, dropout=0.0)
    model.load_state_dict(state)
    model = model.double().train()
    logits = model(golden["input"].double())
    torch.nn.functional.cross_entropy(logits, golden["labels"]).backward()
    out = {"train.logits": logits.float()}
    for name, parameter in model.named_parameters():
        out["grad.norm." + name] = parameter.grad.norm().reshape(1).float()
    save("mobilenet_v2_64_float64.safetensors", out)


def gradient_norms(model, images, labels):
    copy_of_model = copy.deepcopy(model).to(images.dtype).train()
    torch.nn.functional.cross_entropy(copy_of_model(images), labels).backward()
    return torch.stack([parameter.grad.double().norm() for parameter in copy_of_model.parameters()])


def random_network(seed):
    torch.manual_seed(seed)
    model = torchvision.models.mobilenet_v2(width_mult=0.25, num_classes=10, dropout=0.0)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in norms:  # affine maps that are not the trivial ones
        torch.nn.init.uniform_(module.weight, 0.5, 1.5)
        torch.nn.init.uniform_(module.bias, -0.5, 0.5)
        module.momentum = 1.0
    images, labels = torch.randn(32, 3, 32, 32), torch.arange(32) % 10
    with torch.no_grad():
        model.train()(images)  # running statistics that fit, or all images would get the same logits in eval mode
    for module in norms:
        module.momentum = 0.1
    return model, images, labels


def random_small():
    torch.set_num_threads(1)
    # The first seed whose float32 and float64 gradients agree: there no value is so near ReLU6's corners that rounding
    # decides on which side it falls (a single one changes a gradient of this small network by 0.5 %).
    for seed in range(100):
        model, images, labels = random_network(seed)
        exact, single = (gradient_norms(model, x, labels) for x in (images.double(), images))
        worst = ((single - exact).abs() / exact)[exact > 1e-5].max().item()
        print(f"seed {seed}: float32 and float64 gradient norms differ by {worst:.1e}")
        if worst < 5e-5:
            break
    out = {"input": images, "labels": labels}
    out |= {"state." + name: tensor.clone() for name, tensor in model.state_dict().items()}

    model.eval()
    with torch.no_grad():
        out["eval.logits"] = model(images)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    losses = []
    for step in range(5):
        optimizer.zero_grad()
        logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out["train.logits"] = logits.detach()
            for name, parameter in model.named_parameters():
                out["grad.norm." + name] = parameter.grad.norm().reshape(1)
                if name in WHOLE:
                    out["grad." + name] = parameter.grad.clone()
        optimizer.step()
        if step == 0:
            for name, tensor in model.state_dict().items():
                if "running" in name and ("features.0.1" in name or "features.17" in name):
                    out["after_step1." + name] = tensor.clone()
                if name in WHOLE:
                    out["after_step1." + name] = tensor.clone()
    out["train.losses"] = torch.tensor(losses)
    save("mobilenet_v2_w25.safetensors", out)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        pretrained_float64(pathlib.Path(sys.argv[1]))
    else:
        random_small()
