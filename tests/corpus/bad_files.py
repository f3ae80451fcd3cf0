"""Files that are meant to do harm, or are no checkpoints, byte by byte: bad_files.write(folder) gives (kind, file, what is said of it)."""

import io
import json
import os
import pathlib
import pickle
import struct
import zipfile

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


# Each of these gives the opcodes that push one value.
def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def call(function, arguments):
    module, name = function.rsplit(".", 1)
    return f"c{module}\n{name}\n".encode() + arguments + b"R"


def many(items):
    return b"(" + b"".join(items) + b"t"


def state(**entries):
    return b"}(" + b"".join(text(name) + value for name, value in entries.items()) + b"u"


def storage(count, key="0", kind="FloatStorage"):
    return many([text("storage"), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), integer(count)]) + b"Q"


def tensor(sizes, strides, offset=0, of=None):
    return call("torch._utils._rebuild_tensor_v2", many([of or storage(6), integer(offset), many(map(integer, sizes)), many(map(integer, strides)),
                                                         b"\x89", b"N"]))


def zipped(opcodes, floats=6, method=zipfile.ZIP_STORED, byteorder=b"little", names=("a/data.pkl", "a/data/0")):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(names[0], b"\x80\x02" + opcodes + b".")
        archive.writestr("a/byteorder", byteorder)
        archive.writestr(names[1], struct.pack(f"<{floats}f", *range(floats)))
    return file.getvalue()


def legacy(opcodes, little=True, floats=6):
    def pickled(code):
        return b"\x80\x02" + code + b"."
    return MAGIC + pickled(b"M\xe9\x03") + pickled(state(little_endian=b"\x88" if little else b"\x89")) + pickled(opcodes) + \
        pickled(b"](" + text("0") + b"e") + struct.pack("<Q", floats) + struct.pack(f"<{floats}f", *range(floats))


def safetensors(header, body=b"", length=None):
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content) if length is None else length) + content + body


def entry(begin, end, dtype="F32", shape=(1,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def bomb():
    """A gigabyte of zeros in a megabyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + state(w=tensor([6], [1])) + b".")
        with archive.open("a/data/0", "w", force_zip64=True) as entry_file:
            for _ in range(1024):
                entry_file.write(bytes(1 << 20))
    return file.getvalue()


def laughs(levels=60):
    """Lists of two that are one and the same: 2^60 values when written out."""
    return b"]q\x00" + b"".join(b"0](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(levels))


def shared_calls():
    """A tensor a million times over, by the memo."""
    return b"}(" + text("w") + tensor([6], [1]) + b"q\x01" + b"".join(text(f"w{i}") + b"h\x01" for i in range(100_000)) + b"u"


def loop_of_modules():
    names = b"".join(text(str(i)) + b"h\x07" for i in range(1000))
    return b"ca\nNet\n)\x81q\x07}(" + text("_modules") + b"}(" + names + b"uub"


def kinds(trace):
    good = tensor([6], [1])
    harm = call("os.system", many([text(f"touch {trace}")]))
    far = 1 << 62
    whole = zipped(state(w=good))
    class Reduces:
        def __reduce__(self):
            return (os.system, (f"touch {trace}",))
    yield "a call in place of a weight", zipped(state(w=harm)), "made by os.system, which is not run"
    yield "a call in place of a weight, legacy", legacy(state(a=good, w=harm)), "made by os.system, which is not run"
    yield "a call as a tensor's size", zipped(state(w=call("torch._utils._rebuild_tensor_v2", many([storage(6), integer(0), harm, harm, b"N", b"N"])))), \
        "tensor 'w' has no sizes or strides"
    yield "a call as the whole", zipped(harm), "does not hold a dict of tensors but a os.system"
    yield "pickled by Python itself, protocol 5", zipped(pickle.dumps({"w": Reduces()}, protocol=5)[2:-1]), "is not run"
    yield "a call of what a call gives", zipped(state(w=call("builtins.eval", many([text("1")])) + b")R")), "'w' is not a tensor"
    yield "nested a million deep", zipped(b")" + b"\x85" * 1_000_000), "does not hold a dict of tensors"
    yield "a list that holds itself", zipped(state(w=b"]q\x00h\x00a")), "'w' is not a tensor"
    yield "a dict that holds itself", zipped(b"}q\x00" + text("model") + b"h\x00s"), "entry 'model' is not a tensor"
    yield "modules that hold each other", zipped(loop_of_modules()), "modules hold each other"
    yield "lists that explode by memo", zipped(state(w=laughs())), "'w' is not a tensor"
    yield "tensors that explode by memo", zipped(state(**{"w": tensor([10_000], [0])}).replace(b"u", b"") +
                                               b"q\x01" + b"".join(text(f"w{i}") + tensor([10_000], [0]) for i in range(200)) + b"u"), ""
    yield "a tensor 100,000 times", zipped(shared_calls()), "do not fit"
    yield "three million opcodes", zipped(b"N0" * 1_500_000 + state(w=good)), "more than 2097152 opcodes"
    yield "a string of 4 GiB", zipped(b"X\xff\xff\xff\xffhi"), "truncated: 4294967295 bytes expected"
    yield "a string of 2^63 bytes", zipped(b"\x8d" + b"\xff" * 7 + b"\x7fhi"), "truncated"
    yield "a number of 2 GiB", zipped(b"\x8b\xff\xff\xff\x7f1"), "truncated"
    yield "memo that is not there", zipped(state(w=b"h\x09")), "memo has no entry 9"
    yield "protocol 0", zipped(b"(lp0\n."), "is not one of protocols 2 to 5"
    yield "protocol 9", zipped(b"\x80\x09N"), "protocol 9, expected 2 to 5"
    yield "a stride of 2^62", zipped(state(w=tensor([3], [far]))), "leaves its storage of 6"
    yield "a tensor of 2^62 elements", zipped(state(w=tensor([far], [0]))), "times as large as the file"
    yield "sizes that overflow", zipped(state(w=tensor([far, far], [0, 0]))), "too large"
    yield "behind its storage", zipped(state(w=tensor([2], [1], 5))), "leaves its storage of 6"
    yield "a negative offset", zipped(state(w=tensor([2], [1], -1))), "negative offset"
    yield "a storage of 2^62 elements", zipped(state(w=tensor([2], [1], of=storage(far)))), "claims 4611686018427387904 elements"
    yield "one storage of two types", zipped(state(a=good, b=tensor([3], [1], of=storage(3, kind="LongStorage")))), "described in two ways"
    yield "a zip bomb", bomb(), "compressed or encrypted"
    yield "all compressed", zipped(state(w=good), method=zipfile.ZIP_DEFLATED), "compressed or encrypted"
    yield "big-endian zip", zipped(state(w=good), byteorder=b"big"), "byte order is 'big'"
    yield "big-endian legacy", legacy(state(w=good), little=False), "written big-endian"
    yield "a folder above", zipped(state(w=good), names=("../data.pkl", "../data/0")), "do not fit"
    yield "an absolute path", zipped(state(w=good), names=("/etc/data.pkl", "/etc/data/0")), "no '/data.pkl'"
    yield "a key that leaves the folder", zipped(state(w=tensor([6], [1], of=storage(6, key="../../../../etc/passwd")))), "has no 'a/data/../"
    for cut in (3, 60, len(whole) // 2, len(whole) - 1):
        yield f"zip cut at {cut}", whole[:cut], ""
    yield "a changed byte of a storage", whole.replace(struct.pack("<f", 5), struct.pack("<f", 6)), "truncated or damaged"
    old = legacy(state(w=good))
    for cut in (10, len(MAGIC) + 3, len(old) - 30, len(old) - 1):
        yield f"legacy cut at {cut}", old[:cut], ""
    yield "an empty file", b"", "is not a PyTorch checkpoint"
    yield "a picture", b"\x89PNG\r\n\x1a\n" + bytes(100), "is not a PyTorch checkpoint"
    yield "a zip of other things", zipped(state(), names=("a/readme", "a/x")), "no 'a/data.pkl'"
    tensors = {"a": entry(0, 4), "b": entry(4, 8)}
    for kind, content, says in (
            ("a header of 2^63 bytes", safetensors(tensors, bytes(8), length=1 << 63), "truncated or foreign"),
            ("no header", b"abc", "too few for safetensors"),
            ("a header that is no JSON", safetensors(b"{", bytes(8)), "safetensors header"),
            ("a deep header", safetensors(b"[" * 100_000), "safetensors header"),
            ("tensors that overlap", safetensors({"a": entry(0, 4), "b": entry(0, 4)}, bytes(8)), "overlap or leave a gap"),
            ("a gap", safetensors({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)), "overlap or leave a gap"),
            ("bytes behind the last", safetensors(tensors, bytes(9)), "tensors end at byte 8 of 9"),
            ("a tensor beyond the end", safetensors({"a": entry(0, 400, shape=[100])}, bytes(8)), "truncated or foreign"),
            ("more elements than bytes", safetensors({"a": entry(0, 4, shape=[1 << 40])}, bytes(4)), "has 4 bytes"),
            ("a negative size", safetensors({"a": entry(0, 4, shape=[-1])}, bytes(4)), "expected a non-negative integer"),
            ("a type of 4 bits", safetensors({"a": entry(0, 4, dtype="F4", shape=[8])}, bytes(4)), 'has dtype "F4"'),
            ("NaN", safetensors({"a": entry(0, 4)}, struct.pack("<f", float("nan"))), "has nan at index 0")):
        yield "safetensors: " + kind, content, says


def write(folder, trace):
    for number, (kind, content, says) in enumerate(kinds(trace)):
        path = pathlib.Path(folder) / f"bad{number}{'.safetensors' if kind.startswith('safetensors') else '.pth'}"
        path.write_bytes(content)
        yield kind, path, says
