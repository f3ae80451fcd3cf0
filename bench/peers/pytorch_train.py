#!/usr/bin/env python3
"""Trains MobileNetV2 on PyTorch as `edgeprune train` does, and prints speed and losses as JSON.

The same: torchvision's network and ImageNet weights, the images (--limit takes the same ones), their order and flips
from --seed, bilinear resizing, batch (the last short one dropped), Adam 1e-3, cross-entropy, dropout 0.2.
Not the same: the new head (torch.nn.Linear's own initial values, after torch.manual_seed) and dropout's draws, so that
losses agree roughly, not digit by digit; JPEGs are decoded by another library.

PyTorch is measured at its best: the clock runs only from a ready batch to its updated weights and its loss. All batches
of an epoch are prepared before its first step, so that no data loader takes its cores; they are not counted as its
memory.
"""

import argparse
import json
import pathlib
import resource
import statistics
import sys
import time

import data_order
import options as command_line
import training_set

try:
    import torch
    import torchvision
except ImportError as error:
    sys.exit(f"pytorch_train.py: {error} (Debian: python3-torch python3-torchvision)")

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
FORMATS = {"channels_last": torch.channels_last, "default": torch.contiguous_format}


def decode(image):
    if isinstance(image, pathlib.Path):
        return torchvision.io.read_image(str(image), torchvision.io.ImageReadMode.RGB)
    return torch.frombuffer(bytearray(image), dtype=torch.uint8).reshape(3, training_set.SIDE, training_set.SIDE)


def prepare(image, flip, side):
    pixels = decode(image).float() / 255
    pixels = pixels.flip(2) if flip else pixels
    resized = torch.nn.functional.interpolate(pixels[None], (side, side), mode="bilinear", align_corners=False)
    return (resized[0] - MEAN) / STD


def batches(labels, images, options, epoch):
    order = data_order.epoch_order(len(images), options.seed, epoch)
    for start in range(0, len(order) - 1, options.batch):  # a last batch of one image is left out
        indices = order[start : start + options.batch]
        pixels = [prepare(images[i], data_order.is_flipped(i, options.seed, epoch), options.input_size)
                  for i in indices]
        pixels = torch.stack(pixels).contiguous(memory_format=FORMATS[options.layout])
        yield pixels, torch.tensor([labels[i] for i in indices])


def pretrained(weights, classes, options):
    torch.manual_seed(options.seed)
    model = torchvision.models.mobilenet_v2(dropout=0.2)
    model.classifier[1] = torch.nn.Linear(model.last_channel, classes)
    new_head = {f"classifier.{name}": value for name, value in model.classifier.state_dict().items()}
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True) | new_head)
    except Exception as error:  # torch.load passes on whatever its many formats raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{weights}: not weights of torchvision's MobileNetV2: {reason[:200]}") from error
    return model.to(memory_format=FORMATS[options.layout]).train()


def step(model, optimizer, pixels, labels):
    """The loss before the update."""
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(pixels), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def train_epoch(model, optimizer, epoch_batches, batch):
    """Its batches stand ready before the first step is timed."""
    losses, seconds = [], []
    stock = list(epoch_batches)
    stock_mib = sum(pixels.nelement() * pixels.element_size() for pixels, _ in stock) / 2**20
    for pixels, labels in stock:
        start = time.perf_counter()
        losses.append(step(model, optimizer, pixels, labels))
        seconds.append(time.perf_counter() - start)
    return {"steps": len(losses), "training_loss": statistics.mean(losses), "seconds": sum(seconds),
            "images_per_second": sum(len(labels) for _, labels in stock) / sum(seconds),
            "images_per_second_of_median_step": batch / statistics.median(seconds), "losses": losses,
            "stock_mib": stock_mib}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_training(parser)
    parser.add_argument("--batch", type=command_line.positive, default=128)
    parser.add_argument("--threads", type=command_line.positive, default=torch.get_num_threads())
    parser.add_argument("--epochs", type=command_line.positive, default=1)
    parser.add_argument("--limit", type=command_line.positive, help="train on so many images, classes balanced")
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    labels, images, classes = training_set.read_training_set(options.data)
    chosen = data_order.select_in_proportion(labels, options.limit or len(labels), options.seed)
    labels, images = [labels[i] for i in chosen], [images[i] for i in chosen]
    model = pretrained(options.weights, classes, options)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    epochs = []
    for epoch in range(options.epochs):
        result = train_epoch(model, optimizer, batches(labels, images, options, epoch), options.batch)
        epochs.append({"epoch": epoch + 1} | result)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - max(epoch["stock_mib"] for epoch in epochs)
    print(json.dumps({"torch": torch.__version__, "layout": options.layout, "threads": torch.get_num_threads(),
                      "batch": options.batch, "peak_mib": peak_mib, "epochs": epochs}))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, RuntimeError) as error:  # the last one is torch's: no memory, a broken image
        sys.exit(f"pytorch_train.py: {str(error).splitlines()[0]}")
