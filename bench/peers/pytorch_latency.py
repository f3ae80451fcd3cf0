#!/usr/bin/env python3
"""Times single images through torchvision's MobileNetV2 on PyTorch, as `edgeprune latency` times them, and prints all
samples as JSON: {"version", "samples_ms": milliseconds an image}.

PyTorch is measured at its best: evaluation mode, scripted and frozen, so that batch norm is folded and nothing is
recorded for a backward pass.
"""

import argparse
import json
import sys

import onnxruntime_inference
import options as command_line
import pytorch_train

torch = pytorch_train.torch
CLASSES = 10


def frozen(options):
    model = pytorch_train.pretrained(options.weights, CLASSES, options).eval()
    return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.script(model)))


def samples_ms(options):
    model = frozen(options)
    image = torch.rand(1, 3, options.side, options.side).contiguous(
        memory_format=pytorch_train.FORMATS[options.layout])
    with torch.inference_mode():
        return onnxruntime_inference.samples_ms(lambda: model(image), options.seconds)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="torchvision's .pth")
    parser.add_argument("--side", type=command_line.positive, default=pytorch_train.SIDE, help="of the image, in pixels")
    parser.add_argument("--threads", type=command_line.positive, default=1)
    parser.add_argument("--seconds", type=float, default=3, help="of measuring (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the new head (default: 0)")
    parser.add_argument("--layout", choices=command_line.LAYOUTS, default=command_line.LAYOUTS[0])
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    print(json.dumps({"version": torch.__version__, "samples_ms": samples_ms(options)}))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"pytorch_latency.py: {error}")
