"""Command-line options that the scripts share."""

import argparse
import os
import re

import table

LAYOUTS = ("channels_last", "default")


def positive(text):
    if (number := int(text)) < 1:
        raise ValueError
    return number


def configuration(text):
    """BATCHxTHREADS"""
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not BATCHxTHREADS, for example 64x2")
    return tuple(map(int, text.split("x")))


def add_training(parser):
    """What is trained on what."""
    parser.add_argument("--data", required=True, help="folder of images by class, or CIFAR-10 binary folder")
    parser.add_argument("--weights", required=True, help="torchvision's .pth")
    parser.add_argument("--seed", type=int, default=0, help="of choice, order and flips of the images (default: 0)")
    parser.add_argument("--input-size", type=positive, default=64, metavar="PIXELS",
                        help="a side, to which images are resized (default: 64)")
    parser.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0], help="PyTorch's (default: channels_last)")


def add_comparison(parser, configurations):
    """Of which program, in which (default) configurations, how often, printed how."""
    parser.add_argument("--edgeprune", required=True, metavar="BINARY")
    parser.add_argument("--config", type=configuration, nargs="+", action="extend", metavar="BATCHxTHREADS",
                        help=f"one or more (default: {' '.join(configurations)})")
    parser.add_argument("--rounds", type=positive, default=5, help="runs of each, in turns (default: 5)")
    parser.add_argument("--format", choices=table.FORMATS, default="md", help="of the table (default: md)")


def chosen(options, configurations):
    """add_comparison()'s configurations or these, as (batch, threads)."""
    return options.config or [configuration(text) for text in configurations]


def require_program(path, advice="build edgeprune, give its path as --edgeprune"):
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise ValueError(f"{path}: no such program ({advice})")
