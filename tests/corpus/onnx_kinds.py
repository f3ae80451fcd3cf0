"""Networks as PyTorch's exporters of ONNX write them, with what people put around them: onnx_kinds.add(corpus)."""

import torch
import torchvision
from torch import nn
from torch.nn import functional

from corpus import CLASSES, SIZE, filled, logits

NETWORKS = ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "resnet18", "efficientnet_b0")


def exporter(model, **options):
    """One file, by tracing (TorchScript)."""
    traced = {"dynamo": False} if "dynamo" in torch.onnx.export.__code__.co_varnames else {}
    return lambda path: torch.onnx.export(model, torch.zeros(1, 3, SIZE, SIZE), str(path), **traced, **options)


def dynamo_exporter(model):
    """A small file and its weights beside it, as PyTorch writes since 2.9."""
    def save(path):
        torch.onnx.export(model, (torch.zeros(1, 3, SIZE, SIZE),), str(path), dynamo=True, external_data=True, verbose=False)
    return save


class Padded(nn.Module):
    """As networks trained in TensorFlow: what is odd is padded on the right and below."""

    def __init__(self, kernel, pad):
        super().__init__()
        self.stem, self.pad = nn.Conv2d(3, 8, kernel, 2), pad
        self.norm, self.depth = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, 2, groups=8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = functional.relu6(self.norm(self.stem(functional.pad(x, self.pad))))
        x = self.depth(functional.pad(x, (0, 1, 0, 1)))
        return self.head((x * torch.sigmoid(x)).mean((2, 3)))


class ByHand(nn.Module):
    """Hard swish and squeeze-and-excite by their formulas, an average over the map by its window, a sum without Flatten."""

    def __init__(self):
        super().__init__()
        self.stem, self.squeeze, self.excite = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.Linear(8, 4), nn.Linear(4, 8)
        self.head = nn.Linear(8, CLASSES, bias=False)
        self.bias = nn.Parameter(torch.randn(CLASSES))

    def forward(self, x):
        x = self.stem(x)
        x = x * functional.relu6(x + 3) / 6
        gate = torch.sigmoid(self.excite(functional.relu(self.squeeze(x.mean((2, 3))))))
        x = x * gate.reshape(-1, 8, 1, 1)
        x = functional.avg_pool2d(x, SIZE // 2)
        return self.head(x.view(x.size(0), -1)) + self.bias


class Grouped(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 3, **options), nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


def seeded(make, *arguments, **options):
    torch.manual_seed(0)
    return filled(make(*arguments, **options))


def add(corpus):
    def loads(kind, model, save=None, **options):
        corpus.loads(f"onnx {kind}", save or exporter(model, **options), logits(model), says="an ONNX file of others'", suffix=".onnx")

    for name in NETWORKS:
        loads(name, seeded(getattr(torchvision.models, name), num_classes=CLASSES))
    small = seeded(torchvision.models.mobilenet_v2, width_mult=0.1, num_classes=CLASSES)
    loads("opset 11", small, opset_version=11)
    loads("any batch", small, input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    loads("batch norm kept", small, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    loads("external data", small, dynamo_exporter(small))
    for name in ("mobilenet_v3_small", "efficientnet_b0"):
        model = seeded(getattr(torchvision.models, name), num_classes=CLASSES)
        loads(f"external data, {name}", model, dynamo_exporter(model))
    for kernel, pad in ((3, (0, 1, 0, 1)), (3, (1, 0, 1, 0)), (5, (1, 2, 1, 2))):
        loads(f"padded by {pad}, {kernel}x{kernel}", seeded(Padded, kernel, pad))
    loads("formulas by hand", seeded(ByHand))
    loads("formulas by hand, any batch", seeded(ByHand), input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    corpus.refuses("onnx groups", exporter(seeded(Grouped, groups=3)), "depthwise with 6 filters for 3 channels", suffix=".onnx")
    corpus.refuses("onnx dilated", exporter(seeded(Grouped, dilation=2)), "it is dilated", suffix=".onnx")
    corpus.refuses("onnx padded unevenly for columns", exporter(seeded(Padded, 3, (0, 1, 1, 0))), "expected above as on the left", suffix=".onnx")
    corpus.refuses("onnx densenet", exporter(seeded(torchvision.models.densenet121, num_classes=CLASSES)), "Concat", suffix=".onnx")
