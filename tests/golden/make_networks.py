#!/usr/bin/env python3
"""What PyTorch computes from every network of models/networks.h but MobileNetV2 (make_golden.py has that) at 224x224.

make_networks.py writes networks.safetensors beside itself. Weights and images follow from a formula (`uniform`, which
tests/models/networks_golden_test.cpp repeats), so that the file holds results only. Networks that torchvision lacks are
written out here. Keys, behind NETWORK/: salt (of the formula), eval.logits [4,10] with the statistics of the batch,
losses [2] (of the first step in training mode without dropout, and after a step of SGD), grad.norm.PARAMETER.
Needs torch and torchvision (Debian: python3-torch python3-torchvision).
"""
import math

import numpy as np
import torch
import torchvision
from torch import nn

from make_golden import save

BATCH, SIZE, CLASSES, LEARNING_RATE = 4, 224, 10, 0.01


def uniform(name, count, salt):
    """`count` numbers in [0, 1), 24 bits each, a hash of the name, the salt and the position."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF  # FNV-1a
    x = (np.arange(count, dtype=np.uint64) * 2654435761 + seed + salt * 97) & 0xFFFFFFFF
    for shift, factor in ((16, 2246822519), (13, 3266489917)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return (x >> np.uint64(8)).astype(np.float64) / (1 << 24)


def value_of(name, shape, salt):
    u = uniform(name, math.prod(shape), salt)
    if len(shape) > 1:  # uniform, of variance 2 / fan-in
        values = (2 * u - 1) * math.sqrt(6 / math.prod(shape[1:]))
    else:
        values = 0.5 * u + 0.5 if name.endswith("bias") else 0.2 * u + 0.2  # few values near an activation's corner
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def conv(ins, outs, kernel, stride=1, groups=1, act=nn.ReLU, norm=nn.BatchNorm2d):
    layers = [nn.Conv2d(ins, outs, kernel, stride, kernel // 2, groups=groups, bias=False), norm(outs)]
    return nn.Sequential(*layers, *([act()] if act else []))


class Twin(nn.Module):
    """features, global average pool, dropout, one linear layer"""

    def __init__(self, features, channels):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(channels, CLASSES))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v1():
    """Howard et al. 2017, table 1"""
    rows = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]
    features, ins = [conv(3, 32, 3, 2)], 32
    for outs, stride in rows:
        features.append(nn.Sequential(conv(ins, ins, 3, stride, ins), conv(ins, outs, 1)))
        ins = outs
    return Twin(features, ins)


class Inverted(nn.Module):
    def __init__(self, ins, outs, expansion, kernel, stride, unit):
        super().__init__()
        wide = ins * expansion
        parts = [unit(ins, wide, 1)] if expansion != 1 else []
        self.block = nn.Sequential(*parts, unit(wide, wide, kernel, stride, wide), unit(wide, outs, 1, act=None))
        self.adds = stride == 1 and ins == outs

    def forward(self, x):
        return x + self.block(x) if self.adds else self.block(x)


def efficientnet_lite0():
    """Tan & Le 2019, table 1, in the Lite variant: no squeeze-and-excite, ReLU6"""

    def unit(*sizes, act=nn.ReLU6):
        return conv(*sizes, act=act, norm=lambda outs: nn.BatchNorm2d(outs, eps=1e-3, momentum=0.01))

    features, ins = [unit(3, 32, 3, 2)], 32
    for expansion, outs, repeats, stride, kernel in ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
                                                     (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)):
        for i in range(repeats):
            features.append(Inverted(ins, outs, expansion, kernel, stride if i == 0 else 1, unit))
            ins = outs
    return Twin([*features, unit(ins, 1280, 1)], 1280)


NETWORKS = {"mobilenet_v1": mobilenet_v1, "efficientnet_lite0": efficientnet_lite0}
for name in ("mobilenet_v3_large", "mobilenet_v3_small", "resnet18", "resnet50"):
    NETWORKS[name] = lambda make=getattr(torchvision.models, name): make(num_classes=CLASSES)


def fill(model, salt):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(value_of(name, tuple(parameter.shape), salt))


def first_step(model, images, labels):
    """loss, {parameter: norm of its gradient}; gradients stay"""
    model.train().zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item(), {name: p.grad.double().norm().item() for name, p in model.named_parameters()}


def results(make):
    """Of the first salt at which float32 and float64 agree, or agree best: there fewest values are so near a corner of an activation
    that rounding decides on which side they fall."""
    best = None
    for salt in range(3):
        images = torch.from_numpy(2 * uniform("images", BATCH * 3 * SIZE**2, salt) - 1).float()
        images, labels = images.reshape(BATCH, 3, SIZE, SIZE), torch.arange(BATCH) % CLASSES
        single, double = make(), make().double()
        fill(single, salt), fill(double, salt)
        loss, norms = first_step(single, images, labels)
        _, exact = first_step(double, images.double(), labels)
        worst = max(abs(norms[name] / exact[name] - 1) for name in norms if exact[name] > 1e-5)
        print(f"  salt {salt}: float32 and float64 gradient norms differ by {worst:.1e}")
        if best is None or worst < best[0]:
            best = worst, salt, double, images.double(), labels, exact
        if worst < 3e-4:
            break
    _, salt, model, images, labels, norms = best
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(images), labels).item()
        for parameter in model.parameters():
            parameter -= LEARNING_RATE * parameter.grad
        after = nn.functional.cross_entropy(model(images), labels).item()
        fill(model, salt)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        model(images)
        logits = model.eval()(images)
    out = {"salt": torch.tensor([float(salt)]), "losses": torch.tensor([loss, after]), "eval.logits": logits.float()}
    return out | {"grad.norm." + name: torch.tensor([norm]) for name, norm in norms.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    tensors = {}
    for name, make in NETWORKS.items():
        print(name)
        tensors |= {f"{name}/{key}": value for key, value in results(make).items()}
    save("networks.safetensors", tensors)
