"""Checkpoints as PyTorch and those who train with it write them: torch_kinds.add(corpus)."""

import argparse
import collections
import copy
import datetime
import decimal
import enum
import pathlib
import random

import numpy
import torch
import torch.nn.utils.prune
import torchvision

from corpus import CLASSES, Corpus, filled, logits, mobilenet, saver, write_safetensors

Ordered = collections.OrderedDict


class Colour(enum.Enum):
    RED = 1


class Settings:
    def __init__(self):
        self.width, self.colour = 0.1, Colour.RED


def add_containers(corpus, state, expected):
    for protocol in (2, 3, 4, 5):
        for zipped in (True, False):
            corpus.loads(f"{'zip' if zipped else 'legacy'} protocol {protocol}",
                         saver(lambda: state, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped), expected)


def add_wrappers(corpus, state, expected):
    wrong = Ordered((n, torch.zeros_like(t)) for n, t in state.items())
    for entry in ("state_dict", "model", "model_state_dict", "net"):
        corpus.loads(f"under {entry}", saver(lambda: {"epoch": 3, entry: state, "config": {"width": 0.1}}), expected)
    for entry in ("state_dict_ema", "model_ema"):
        corpus.loads(f"averaged {entry}", saver(lambda: {"model": wrong, "state_dict": wrong, entry: state}), expected,
                     says=f"averaged weights are taken, '{entry}'")
    averaged = torch.optim.swa_utils.AveragedModel(mobilenet())
    averaged.module.load_state_dict(state)
    corpus.loads("averaged by swa_utils", saver(lambda: {"model": wrong, "model_ema": averaged.state_dict()}), expected)
    corpus.loads("by key", saver(lambda: {"teacher": wrong, "student": state}), expected, ["--key", "student"])
    corpus.loads("by nested key", saver(lambda: {"trainer": {"inner.net": state}}), expected, ["--key", "trainer.inner.net"])
    corpus.refuses("key not given", saver(lambda: {"teacher": wrong, "student": state}), "there are tensors under student, teacher (--key)")
    corpus.refuses("key not there", saver(lambda: {"state_dict": state}), "'ema' is not there", ["--key", "ema"])
    corpus.loads("numbers among the tensors", saver(lambda: {**state, "epoch": 3, "name": "mine"}), expected, says="passed over, as no tensors: epoch, name")

    def prefixed(prefix, names=state):
        return Ordered((prefix + n, t) for n, t in names.items())
    for prefix in ("module.", "_orig_mod.", "backbone.", "module._orig_mod.", "_orig_mod.module.", "model.backbone.", "net."):
        corpus.loads(f"prefix {prefix}", saver(lambda: {"state_dict": prefixed(prefix)}), expected)
    corpus.loads("backbone and a bare head", saver(lambda: Ordered((n if n.startswith("classifier") else "backbone." + n, t)
                                                                    for n, t in state.items())), expected)
    corpus.loads("only the features compiled", saver(lambda: Ordered((n.replace("features.", "features._orig_mod."), t)
                                                                      for n, t in state.items())), expected)


def add_types(corpus, model, state):
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        cast = Ordered((n, t.to(dtype) if t.is_floating_point() else t) for n, t in state.items())
        other = copy.deepcopy(model)
        other.load_state_dict(cast)  # rounded
        name = str(dtype).split(".")[1]
        expected = logits(other)
        corpus.loads(f"{name} zip", saver(lambda: cast), expected, says="converted from ")
        corpus.loads(f"{name} legacy", saver(lambda: cast, _use_new_zipfile_serialization=False), expected)
        corpus.loads(f"{name} safetensors", lambda path: write_safetensors(path, cast), expected, suffix=".safetensors")
    expected = logits(model)
    for dtype in (torch.int32, torch.int16, torch.uint8):
        counters = Ordered((n, t if t.is_floating_point() else t.to(dtype)) for n, t in state.items())
        name = str(dtype).split(".")[1]
        corpus.loads(f"{name} counters zip", saver(lambda: counters), expected)
        corpus.loads(f"{name} counters safetensors", lambda path: write_safetensors(path, counters), expected, suffix=".safetensors")
    corpus.loads("float32 safetensors", lambda path: write_safetensors(path, state), expected, suffix=".safetensors")
    corpus.loads("safetensors behind module", lambda path: write_safetensors(path, {"module." + n: t for n, t in state.items()}), expected,
                 suffix=".safetensors")
    name = "features.0.0.weight"
    for what, value, says in (("complex", state[name].to(torch.complex64), f"tensor '{name}' is a torch.ComplexFloatStorage"),
                              ("sparse", state[name].to_sparse(), "_rebuild_sparse_tensor, which is not run"),
                              ("quantised", torch.quantize_per_tensor(state[name], 0.1, 0, torch.qint8), "_rebuild_qtensor, which is not run"),
                              ("meta", state[name].to("meta"), "_rebuild_meta_tensor_no_storage, which is not run"),
                              ("int32", state[name].to(torch.int32), f"{name} is I32 [8,3,3,3], expected F32"),
                              ("NaN in a", state[name] * float("nan"), f"'{name}' has ")):
        corpus.refuses(f"{what} weight", saver(lambda: {**state, name: value}), says)


def add_training(corpus, model, state, expected):
    for name, make in (("SGD", lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)), ("Adam", torch.optim.Adam)):
        trained = copy.deepcopy(model)
        optimizer = make(trained.parameters())
        trained.train()(torch.rand(2, 3, 64, 64)).sum().backward()
        optimizer.step()
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
        corpus.loads(f"training checkpoint {name}", saver(lambda: {"epoch": 3, "optimizer": optimizer.state_dict(), "model": state,
                                                                    "scheduler": scheduler.state_dict(), "best": 0.5}), expected)
    odd = {
        "argparse Namespace": argparse.Namespace(lr=0.1, data=pathlib.PurePosixPath("/data")),
        "numpy scalars": {"best": numpy.float64(0.5), "epoch": numpy.int64(3)},
        "numpy arrays": {"rng": numpy.random.RandomState(0).get_state(), "matrix": numpy.eye(3)},
        "dtypes and devices": {"dtype": torch.float16, "device": torch.device("cpu"), "size": torch.Size([1, 2]), "layout": torch.strided},
        "random states": {"python": random.getstate(), "torch": torch.get_rng_state()},
        "standard library": {"when": datetime.datetime(2026, 1, 1), "set": {1, 2}, "frozen": frozenset([3]), "complex": 1j, "bytes": b"abc",
                             "price": decimal.Decimal("1.5"), "queue": collections.deque([1]), "counts": collections.Counter("ab"),
                             "default": collections.defaultdict(list, a=[1]), "array": bytearray(b"x"), "large": 1 << 100},
        "own classes": {"settings": Settings(), "colour": Colour.RED},
        "tensors of odd types": {"q": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "c": torch.ones(2, dtype=torch.complex64),
                                 "s": torch.eye(3).to_sparse(), "b": torch.ones(2, dtype=torch.bool)},
    }
    if hasattr(torch, "float8_e4m3fn"):
        odd["tensors of new types"] = {"f8": torch.ones(3).to(torch.float8_e4m3fn), "u16": torch.ones(3).to(torch.uint16)}
    for kind, value in odd.items():
        for protocol in (2, 4):
            corpus.loads(f"{kind} beside, protocol {protocol}", saver(lambda: {"state_dict": state, "extra": value}, pickle_protocol=protocol), expected)


def add_modules(corpus, model, expected):
    says = "holds a whole module, "
    corpus.loads("whole module", saver(lambda: model), expected, says=says)
    corpus.loads("whole module legacy", saver(lambda: model, _use_new_zipfile_serialization=False), expected, says=says)
    corpus.loads("whole module protocol 4", saver(lambda: model, pickle_protocol=4), expected, says=says)
    corpus.loads("whole module under model", saver(lambda: {"epoch": 1, "model": model}), expected, says=says)
    corpus.loads("DataParallel module", saver(lambda: torch.nn.DataParallel(model)), expected, says=says)
    example = torch.zeros(1, 3, 64, 64)
    corpus.loads("TorchScript scripted", lambda path: torch.jit.save(torch.jit.script(model), str(path)), expected, says=says, suffix=".pt")
    corpus.loads("TorchScript traced", lambda path: torch.jit.save(torch.jit.trace(model, example), str(path)), expected, says=says, suffix=".pt")
    corpus.refuses("TorchScript frozen", lambda path: torch.jit.save(torch.jit.freeze(torch.jit.script(model)), str(path)),
                   "without any tensor (frozen?)", suffix=".pt")
    corpus.refuses("torch.export program", lambda path: torch.export.save(torch.export.export(model, (example,)), str(path)), "has no '",
                   suffix=".pt2")


def add_layouts(corpus, model, state, expected):
    corpus.loads("parameters with gradients", saver(lambda: {**dict(model.named_parameters()), **dict(model.named_buffers())}), expected)
    corpus.loads("channels last", saver(lambda: Ordered((n, t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t)
                                                         for n, t in state.items())), expected)
    flat = torch.cat([t.reshape(-1).float() for t in state.values()])
    views, at = Ordered(), 0
    for name, tensor in state.items():
        views[name] = flat[at:at + tensor.numel()].view(tensor.shape) if tensor.is_floating_point() else tensor
        at += tensor.numel()
    corpus.loads("all views of one storage", saver(lambda: views), expected)
    head = "classifier.1.weight"
    corpus.loads("transposed storage", saver(lambda: {**state, head: state[head].t().contiguous().t()}), expected)
    corpus.loads("every second element", saver(lambda: {**state, head: torch.stack([state[head]] * 2, -1)[..., 0]}), expected)
    other = copy.deepcopy(model)
    other.classifier[1].bias.data.fill_(0.25)
    corpus.loads("expanded bias of stride 0", saver(lambda: {**state, "classifier.1.bias": torch.tensor([0.25]).expand(CLASSES)}), logits(other))
    tagged = state[head].clone()
    tagged.tag = "mine"
    corpus.loads("tensor with an attribute", saver(lambda: {**state, head: tagged}), expected)
    corpus.loads("without counters", saver(lambda: {n: t for n, t in state.items() if not n.endswith("tracked")}), expected)
    corpus.loads("a profiler's counters", saver(lambda: {**state, "total_ops": torch.zeros(1), "features.0.total_params": torch.zeros(1)}), expected)
    pruned = copy.deepcopy(model)
    for module in pruned.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.utils.prune.l1_unstructured(module, "weight", 0.5)
    corpus.loads("masks of torch.nn.utils.prune", saver(pruned.state_dict), logits(pruned), says="pruned, they stay zero")


def add_others(corpus):
    other = filled(torchvision.models.mobilenet_v3_small(num_classes=CLASSES))
    corpus.loads("torchvision mobilenet_v3_small", saver(other.state_dict), logits(other), says="mobilenet_v3_small of width 1")
    corpus.refuses("a network not here", saver(torchvision.models.squeezenet1_1(num_classes=CLASSES).state_dict), "another network")
    resnet = torchvision.models.resnet18(num_classes=CLASSES)
    corpus.refuses("a pooling padded as TensorFlow's", saver(resnet.state_dict), "node 'maxpool': padding SAME", ["--trained-in", "tensorflow"])
    corpus.refuses("a list of tensors", saver(lambda: [torch.zeros(2)]), "does not hold a dict of tensors")
    corpus.refuses("an optimiser alone", saver(lambda: torch.optim.Adam([torch.nn.Parameter(torch.ones(1))]).state_dict()), "is not a tensor")
    corpus.refuses("a single tensor", saver(lambda: torch.zeros(2)), "does not hold a dict of tensors but a torch._utils._rebuild_tensor_v2")
    corpus.refuses("no tensors at all", saver(dict), "the file has no tensors")


def add(corpus: Corpus):
    model = mobilenet()
    state, expected = model.state_dict(), logits(model)
    add_containers(corpus, state, expected)
    add_wrappers(corpus, state, expected)
    add_types(corpus, model, state)
    add_training(corpus, model, state, expected)
    add_modules(corpus, model, expected)
    add_layouts(corpus, model, state, expected)
    add_others(corpus)
