"""The training images that edgeprune reads: CIFAR-10's binary version, or a folder of images by class. Standard library
only: images stay bytes or paths until somebody decodes them."""

import os
import pathlib

SIDE = 32
PIXELS = 3 * SIDE * SIDE
CLASSES = 10
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp")


def read_training_set(folder):
    """(labels, images, classes): an image is a path, or CIFAR-10's bytes [3, 32, 32]; classes is their number. Raises
    ValueError or OSError if there are no such data."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of data")
    if (folder / "train").is_dir():
        return list_image_folder(folder / "train")
    for batches in (folder, folder / "cifar-10-batches-bin"):
        if (batches / "data_batch_1.bin").exists():
            return read_cifar10(batches)
    raise ValueError(f"{folder}: no training data found: looked for train/<class>/ and for CIFAR-10's data_batch_1.bin")


def read_cifar10(folder):
    labels, images = [], []
    for batch in range(1, 6):
        path = folder / f"data_batch_{batch}.bin"
        content = path.read_bytes()
        if not content or len(content) % (1 + PIXELS):
            raise ValueError(f"{path}: {len(content)} bytes is no whole number of records of {1 + PIXELS} bytes")
        labels += content[:: 1 + PIXELS]
        if max(labels) >= CLASSES:
            raise ValueError(f"{path}: has label {max(labels)}, at most {CLASSES - 1} expected")
        images += [content[start : start + PIXELS] for start in range(1, len(content), 1 + PIXELS)]
    return labels, images, CLASSES


def visible(folder):
    """Its entries by name, in order of bytes as in C++, without hidden ones."""
    return sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")),
                  key=lambda entry: os.fsencode(entry.name))


def list_image_folder(folder):
    labels, images = [], []
    classes = [entry for entry in visible(folder) if entry.is_dir()]
    for label, class_folder in enumerate(classes):
        files = [entry for entry in visible(class_folder) if entry.suffix.lower() in EXTENSIONS]
        if not files:
            raise ValueError(f"{class_folder}: no images found")
        labels += [label] * len(files)
        images += files
    if not images:
        raise ValueError(f"{folder}: no class folders found")
    return labels, images, len(classes)
