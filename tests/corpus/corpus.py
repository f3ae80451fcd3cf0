"""What the corpus is made of: a network with known answers, and files written in many ways. Needs torch and torchvision."""

import json
import pathlib
import struct

import torch
import torchvision

CLASSES, SIZE = 7, 64
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CENTRED = ((0.5,) * 3, (0.5,) * 3)
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def filled(model):
    """The model with weights, statistics and biases that all matter, for evaluation."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.6, 1.4)
            module.bias.data.uniform_(-0.1, 0.2)
    return model.eval()


def mobilenet():
    torch.manual_seed(0)
    return filled(torchvision.models.mobilenet_v2(width_mult=0.1, num_classes=CLASSES))


def pixels():
    """[SIZE, SIZE, 3] of bytes, smooth enough to be no noise."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return torch.stack([3 * x + y, 255 - 2 * y - x, (x * y) // 8 + 40], -1).remainder(256).to(torch.uint8)


def write_image(path):
    """A 24-bit bitmap: rows from below, blue first."""
    rows = pixels().flip(0).flip(2).contiguous().numpy().tobytes()
    header = struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, SIZE, SIZE, 1, 24, 0, len(rows), 0, 0, 0, 0)
    pathlib.Path(path).write_bytes(b"BM" + header + rows)


def logits(model, normalisation=IMAGENET):
    mean, std = (torch.tensor(values)[:, None, None] for values in normalisation)
    image = (pixels().permute(2, 0, 1).float() / 255 - mean) / std
    with torch.no_grad():
        out = model(image[None])
    return getattr(out, "logits", out)[0].double().tolist()


def write_safetensors(path, state):
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in state.items():
        content = bytes(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy()) if tensor.dim() else \
            bytes(tensor.detach().reshape(1).view(torch.uint8).numpy())
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(content)]}
        body += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)


class Corpus:
    """Files in a folder, and what must come of each."""

    def __init__(self, folder):
        self.folder, self.entries, self.skipped = pathlib.Path(folder), [], []

    def _add(self, kind, save, suffix, **expected):
        path = self.folder / f"{kind.replace(' ', '_')}{suffix}"
        try:
            save(path)
        except Exception as error:  # this torch cannot write it: another one might
            self.skipped.append((kind, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:120]))
            return
        self.entries.append({"kind": kind, "file": path.name, **expected})

    def loads(self, kind, save, expected, options=(), says="", suffix=".pth"):
        """`save(path)` writes a file whose network has the logits `expected`, and of which stderr says `says`."""
        self._add(kind, save, suffix, logits=expected, options=list(options), says=says)

    def refuses(self, kind, save, says, options=(), suffix=".pth"):
        self._add(kind, save, suffix, refused=says, options=list(options))

    def write(self):
        write_image(self.folder / "image.bmp")
        made_by = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
        (self.folder / "manifest.json").write_text(json.dumps({"made_by": made_by, "entries": self.entries, "skipped": self.skipped}))


def saver(make, **options):
    """Of torch.save(make(), path, **options)."""
    return lambda path: torch.save(make(), path, **options)
