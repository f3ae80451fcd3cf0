"""Writes what torch.save writes, without torch: pickles that name torch's classes, and the zip around them."""

import collections
import pickle
import struct
import sys
import types
import zipfile
import io

TYPES = {"F32": ("FloatStorage", 4), "F16": ("HalfStorage", 2), "BF16": ("BFloat16Storage", 2),
         "I64": ("LongStorage", 8)}


def stand_in(path, kind=type):
    """A class or function that pickle writes as a reference to `path`, whether that is installed or not."""
    module_name, name = path.rsplit(".", 1)
    made = type(name, (), {}) if kind is type else (lambda *arguments: None)
    made.__module__, made.__qualname__, made.__name__ = module_name, name, name
    return made


class Storage:
    def __init__(self, dtype, content):
        self.dtype, self.content = dtype, content


class Tensor:
    """Bytes of a type and shape, pickled as a torch.Tensor."""

    def __init__(self, dtype, shape, content):
        self.dtype, self.shape, self.storage = dtype, tuple(shape), Storage(dtype, content)

    def __reduce__(self):
        strides, step = [], 1
        for size in reversed(self.shape):
            strides.insert(0, step)
            step *= size
        return (REBUILD, (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict()))


class Made:
    """An object that is pickled as a call of something."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.call


REBUILD = stand_in("torch._utils._rebuild_tensor_v2", kind=None)
STORAGES = {dtype: stand_in(f"torch.{name}") for dtype, (name, _) in TYPES.items()}


class Pickler(pickle._Pickler):  # the one in Python: it lets references through without importing them
    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = []

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        if obj not in self.storages:
            self.storages.append(obj)
        count = len(obj.content) // TYPES[obj.dtype][1]
        return ("storage", STORAGES[obj.dtype], str(self.storages.index(obj)), "cpu", count)

    def save_global(self, obj, name=None):
        self.write(pickle.GLOBAL + f"{obj.__module__}\n{obj.__qualname__}\n".encode())
        self.memoize(obj)

    dispatch = dict(pickle._Pickler.dispatch)
    dispatch[type] = dispatch[types.FunctionType] = save_global


def save(path, obj, torch2=False):
    """torch.save(obj, path); torch2: with the entries that versions 2 add."""
    file = io.BytesIO()
    pickler = Pickler(file)
    pickler.dump(obj)
    with zipfile.ZipFile(path, "w") as archive:
        if torch2:
            for name, content in ((".format_version", "1"), (".storage_alignment", "64"), ("byteorder", "little")):
                archive.writestr("archive/" + name, content)
        archive.writestr("archive/data.pkl", file.getvalue())
        for index, storage in enumerate(pickler.storages):
            archive.writestr(f"archive/data/{index}", storage.content)
        archive.writestr("archive/version", "3\n")


def module(path, parameters=(), buffers=(), children=()):
    """A torch.nn.Module, as it pickles itself."""
    made = stand_in(path)()
    made.__dict__.update(training=False, _parameters=collections.OrderedDict(parameters),
                         _buffers=collections.OrderedDict(buffers), _non_persistent_buffers_set=set(),
                         _modules=collections.OrderedDict(children))
    return made


def module_of(state, path="torchvision.models.mobilenetv2.MobileNetV2"):
    """The module whose state_dict() this is."""
    own, inner = {}, collections.OrderedDict()
    for name, value in state.items():
        head, _, rest = name.partition(".")
        if rest:
            inner.setdefault(head, {})[rest] = value
        else:
            own[name] = value
    buffers = {n: v for n, v in own.items() if n.startswith(("running", "num"))}
    parameters = {n: v for n, v in own.items() if n not in buffers}
    return module(path, parameters, buffers,
                  {name: module_of(part, "torch.nn.modules.container.Sequential") for name, part in inner.items()})
