#!/usr/bin/env python3
"""make_corpus.py FOLDER: writes the corpus and FOLDER/manifest.json, which says what must come of each file."""

import sys
import warnings

import torch

import library_kinds
import onnx_kinds
import torch_kinds
from corpus import Corpus

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    corpus = Corpus(sys.argv[1])
    torch_kinds.add(corpus)
    library_kinds.add(corpus)
    onnx_kinds.add(corpus)
    corpus.write()
