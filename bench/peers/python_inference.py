#!/usr/bin/env python3
"""Times an ONNX model of one float32 input and one output on OpenVINO or ncnn, and writes its output.

Takes an interpreter that has numpy and the system's package from PyPI: openvino, or ncnn and pnnx, which turns ONNX into
ncnn's format. Prints {"version", "median_ms": milliseconds an image} as JSON.
"""

import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

import onnx_peer


def openvino(options, images):
    """(run one batch, its logits)"""
    import openvino as ov

    settings = {"INFERENCE_NUM_THREADS": options.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32",
                "PERFORMANCE_HINT": "LATENCY"}
    model = ov.Core().compile_model(options.onnx, "CPU", settings)
    request = model.create_infer_request()
    request.set_input_tensor(ov.Tensor(images, shared_memory=True))
    return request.infer, lambda: request.get_output_tensor().data


def ncnn(options, images):
    """As above. ncnn knows no batches: one image after the other."""
    import ncnn
    import numpy

    net = ncnn.Net()
    net.opt.num_threads = options.threads
    net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_fp16_packed = net.opt.use_bf16_storage = False
    with tempfile.TemporaryDirectory(prefix="edgeprune-peers-") as folder:
        model = pathlib.Path(folder, "model.onnx")
        model.symlink_to(os.path.abspath(options.onnx))
        shape = ",".join(map(str, images.shape))
        done = subprocess.run([converter(), str(model), f"inputshape=[{shape}]", "fp16=0"], cwd=folder,  # weights, too
                              capture_output=True, text=True)
        if done.returncode != 0 or not model.with_suffix(".ncnn.bin").exists():
            raise ValueError(f"{options.onnx}: pnnx made no model of it: {(done.stdout + done.stderr)[-200:]!r}")
        net.load_param(str(model.with_suffix(".ncnn.param")))
        net.load_model(str(model.with_suffix(".ncnn.bin")))
    inputs = [ncnn.Mat(image).clone() for image in images]
    logits = numpy.empty((len(images), options.classes), numpy.float32)

    def run():
        for row, image in zip(logits, inputs):
            with net.create_extractor() as extractor:
                extractor.input("in0", image)
                row[:] = extractor.extract("out0")[1]

    return run, lambda: logits


def converter():
    """pnnx's program; importing its package would load PyTorch."""
    return str(pathlib.Path(importlib.util.find_spec("pnnx").submodule_search_locations[0], "pnnx"))


SYSTEMS = {"openvino": openvino, "ncnn": ncnn}


def arguments():
    parser = onnx_peer.parser(__doc__)
    parser.add_argument("--system", choices=SYSTEMS, required=True)
    return parser.parse_args()


def main():
    import numpy

    options = arguments()
    values = onnx_peer.read_images(options.images, options.batch, options.side)
    images = numpy.array(values, numpy.float32).reshape(options.batch, 3, options.side, options.side)
    run, logits = SYSTEMS[options.system](options, images)
    onnx_peer.report(options, images.reshape(-1), run, logits, importlib.metadata.version(options.system))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        sys.exit(f"python_inference.py: {str(error).splitlines()[0]}")
