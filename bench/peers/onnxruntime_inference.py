#!/usr/bin/env python3
"""Times an ONNX model of one float32 input and one output on ONNX Runtime, and writes its output.

Calls the library's C API, so that it takes no more than the shared library. Prints {"version", "median_ms":
milliseconds an image} as JSON. Standard library only.
"""

import array
import ctypes
import os
import sys

import onnx_peer

# The place of each function in struct OrtApi (onnxruntime_c_api.h), which only ever grows at its end.
FUNCTIONS = {"GetErrorMessage": 2, "CreateEnv": 3, "CreateSession": 7, "Run": 9, "CreateSessionOptions": 10,
             "SetSessionExecutionMode": 13, "SetSessionGraphOptimizationLevel": 23, "SetIntraOpNumThreads": 24,
             "CreateTensorWithDataAsOrtValue": 49, "CreateCpuMemoryInfo": 69, "AddSessionConfigEntry": 130}
API_VERSION = 1  # the table's beginning is the same in all; the last of these came with version 1.5
LOG_ERRORS, SEQUENTIAL, ALL_OPTIMIZATIONS, FLOAT = 3, 0, 99, 1
ARENA_ALLOCATOR, DEFAULT_MEMORY = 1, 0


class ApiBase(ctypes.Structure):
    _fields_ = [("get_api", ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_uint32)),
                ("get_version", ctypes.CFUNCTYPE(ctypes.c_char_p))]


class Runtime:
    """Functions of the C API; a status that is not null is an error."""

    def __init__(self, library):
        try:
            get_base = ctypes.CDLL(library).OrtGetApiBase
        except (OSError, AttributeError) as error:
            raise ValueError(f"{library}: not the library of ONNX Runtime: {error}") from None
        get_base.restype = ctypes.POINTER(ApiBase)
        base = get_base().contents
        self.version = base.get_version().decode()
        self.api = base.get_api(API_VERSION)

    def function(self, name, result, *types):
        return ctypes.CFUNCTYPE(result, *types)(self.api[FUNCTIONS[name]])

    def check(self, status):
        if status:
            message = self.function("GetErrorMessage", ctypes.c_char_p, ctypes.c_void_p)(status)
            raise ValueError(" ".join(message.decode(errors="replace").split()))

    def call(self, name, *arguments):
        """Arguments are ctypes' own objects."""
        self.check(self.function(name, ctypes.c_void_p, *map(type, arguments))(*arguments))

    def create(self, name, *arguments):
        """A handle, which such functions return through their last argument."""
        handle = ctypes.c_void_p()
        function = self.function(name, ctypes.c_void_p, *map(type, arguments), ctypes.POINTER(ctypes.c_void_p))
        self.check(function(*arguments, ctypes.byref(handle)))
        return handle


def tensor(runtime, values, shape):
    """A view of `values`, an array of float."""
    memory = runtime.create("CreateCpuMemoryInfo", ctypes.c_int(ARENA_ALLOCATOR), ctypes.c_int(DEFAULT_MEMORY))
    address, count = values.buffer_info()
    return runtime.create("CreateTensorWithDataAsOrtValue", memory, ctypes.c_void_p(address),
                          ctypes.c_size_t(count * values.itemsize), (ctypes.c_int64 * len(shape))(*shape),
                          ctypes.c_size_t(len(shape)), ctypes.c_int(FLOAT))


def session(runtime, model, threads, precise=False):
    environment = runtime.create("CreateEnv", ctypes.c_int(LOG_ERRORS), ctypes.c_char_p(b"edgeprune"))
    settings = runtime.create("CreateSessionOptions")
    runtime.call("SetIntraOpNumThreads", settings, ctypes.c_int(threads))
    runtime.call("SetSessionExecutionMode", settings, ctypes.c_int(SEQUENTIAL))
    runtime.call("SetSessionGraphOptimizationLevel", settings, ctypes.c_int(ALL_OPTIMIZATIONS))
    if precise:  # integers are multiplied so that nothing saturates
        runtime.call("AddSessionConfigEntry", settings, ctypes.c_char_p(b"session.x64quantprecision"),
                     ctypes.c_char_p(b"1"))
    return runtime.create("CreateSession", environment, ctypes.c_char_p(os.fsencode(model)), settings)


def runner(runtime, model, threads, images, logits, precise=False):
    """A function that runs the model once; `images` and `logits` are (array, shape)."""
    names = [(ctypes.c_char_p * 1)(name) for name in (b"images", b"logits")]
    values = [(ctypes.c_void_p * 1)(tensor(runtime, *pair).value) for pair in (images, logits)]
    run = runtime.function("Run", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
                           ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    arguments = (session(runtime, model, threads, precise), None, names[0], values[0], 1, names[1], 1, values[1])
    arguments = tuple(ctypes.cast(a, ctypes.c_void_p) if isinstance(a, ctypes.Array) else a for a in arguments)

    def run_once(keep=(names, values)):
        if status := run(*arguments):
            runtime.check(status)

    return run_once


def arguments():
    parser = onnx_peer.parser(__doc__)
    parser.add_argument("--library", required=True, help="libonnxruntime.so")
    parser.add_argument("--precise", action="store_true", help="integers: session.x64quantprecision=1")
    return parser.parse_args()


def main():
    options = arguments()
    runtime = Runtime(options.library)
    images = onnx_peer.read_images(options.images, options.batch, options.side)
    logits = array.array("f", bytes(4 * options.batch * options.classes))
    run = runner(runtime, options.onnx, options.threads, (images, (options.batch, 3, options.side, options.side)),
                 (logits, (options.batch, options.classes)), options.precise)
    onnx_peer.report(options, images, run, lambda: logits, runtime.version)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"onnxruntime_inference.py: {error}")
