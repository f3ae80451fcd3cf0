"""Runs the edgeprune binary ($EDGEPRUNE_BINARY) in a folder of the test's own."""

import array
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

BINARY = os.environ["EDGEPRUNE_BINARY"]
ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("EDGEPRUNE_SHARED", ROOT.parent / "shared"))


def read_safetensors(path):
    """{name: [floats]} of the F32 tensors, and the metadata."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = array.array("f", data[8 + length + begin : 8 + length + end])
    return tensors, metadata


def write_bmp(path, width, height, color):
    """A 24-bit bitmap; color(x, y) gives (red, green, blue)."""
    rows = b""
    for y in reversed(range(height)):
        row = b"".join(bytes(reversed(color(x, y))) for x in range(width))
        rows += row + b"\0" * (-len(row) % 4)
    header = b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    pathlib.Path(path).write_bytes(header + rows)


def write_image_folder(folder, classes, images=2):
    """The layout of torchvision's ImageFolder."""
    for split in ("train", "test"):
        for c, name in enumerate(classes):
            (folder / split / name).mkdir(parents=True)
            for i in range(images):
                write_bmp(folder / split / name / f"{i}.bmp", 8, 8,
                          lambda x, y: (20 * x, 20 * y, (60 * c + i) % 256))


def commands():
    """All there are, as --help lists them. (Later versions of CLI11 lay it out otherwise.)"""
    text = subprocess.run([BINARY, "--help"], check=True, capture_output=True, text=True).stdout
    _, listed = re.split(r"^subcommands:\n", text, flags=re.I | re.M)
    return re.findall(r"^  (\w+) ", listed.split("\n\n")[0], re.M)


def networks():
    """All there are, as train's help lists them."""
    text = subprocess.run([BINARY, "train", "--help"], check=True, capture_output=True, text=True).stdout
    return re.search(r"--network TEXT:\{([^}]*)\}", text).group(1).split(",")


class CommandTest(unittest.TestCase):
    """Each class gets a small trained model (cls.base) and each test an empty folder (self.folder)."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="edgeprune command ")
        cls.addClassCleanup(folder.cleanup)
        os.environ["XDG_CACHE_HOME"] = folder.name  # what auto remembers, not the user's
        cls.base = pathlib.Path(folder.name) / "base.safetensors"
        done = cls.start("train", "--data", "synthetic:48", "--weights", "random", "--out", cls.base,
                         "--epochs", 1, "--batch", 16, "--threads", 1)
        output, errors = done.communicate(timeout=120)
        assert done.returncode == 0, errors

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="edgeprune command ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    @staticmethod
    def start(*arguments, preexec_fn=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=None,
              **variables):
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("EDGEPRUNE_DATA", "EDGEPRUNE_WEIGHTS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        return subprocess.Popen([BINARY, *map(str, arguments)], env=environment | variables,
                                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                text=True, preexec_fn=preexec_fn, cwd=cwd)

    def run_command(self, *arguments, **options):
        """(exit code, stdout, stderr)"""
        process = self.start(*arguments, **options)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    def succeed(self, *arguments, **options):
        """stdout"""
        code, output, errors = self.run_command(*arguments, **options)
        self.assertEqual(code, 0, errors)
        return output

    def json_of(self, *arguments, **options):
        return json.loads(self.succeed(*arguments, "--format", "json", **options))

    def fail(self, *arguments, says="", code=1, **options):
        """The error line. In self.folder nothing appears that was not there."""
        before = sorted(self.folder.rglob("*"))
        status, output, errors = self.run_command(*arguments, **options)
        self.assertEqual(status, code, f"{arguments}: {errors}")
        self.assertRegex(errors, r"\Aedgeprune: [^\n]+\n\Z", arguments)
        self.assertIn(says, errors)
        self.assertEqual(output, "")
        self.assertEqual(sorted(self.folder.rglob("*")), before, arguments)
        return errors
