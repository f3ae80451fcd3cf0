"""Every kind of file that people have, and of file that does harm: what must come of each does (README.md)."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import unittest

import bad_files

BINARY = os.environ["EDGEPRUNE_BINARY"]
HERE = pathlib.Path(__file__).resolve().parent
PYTHONS = os.environ.get("EDGEPRUNE_TORCH_PYTHON", sys.executable).split(os.pathsep)
MEMORY, SECONDS = 1 << 30, 60  # of address space, and a file: what is refused costs next to nothing
LARGEST_DIFFERENCE = 1e-5  # of the largest logit: sums in another order


def run(*arguments):
    """Status, stdout, stderr."""
    def bounded():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS, preexec_fn=bounded)
    return done.returncode, done.stdout, done.stderr


class CorpusTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="edgeprune corpus ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.rows = []

    def refused(self, kind, path, says, options=()):
        out = self.folder / "out.safetensors"
        code, output, errors = run("import", path, out, *options)
        lines = errors.strip().splitlines()
        wrong = (code != 1 and f"status {code}") or (output and "said on stdout") or (out.exists() and "wrote a file") or \
            (len(lines) != 1 and f"{len(lines)} lines of error") or (says not in errors and f"not said: {says}") or \
            (str(path) not in errors and "the file is not named")
        self.rows.append((kind, "refused" if not wrong else "WRONG", wrong or lines[0].split(str(path))[-1][2:110]))
        out.unlink(missing_ok=True)

    def loaded(self, kind, path, entry, image):
        code, output, errors = run("predict", "--model", path, image, "--logits", "--format", "json", "--threads", 1, *entry["options"])
        if code != 0:
            return self.rows.append((kind, "WRONG", errors.strip()[-200:]))
        found = [row["logit"] for row in json.loads(output)[0]["logits"]]
        largest = max(map(abs, entry["logits"]))
        difference = max(abs(a - b) for a, b in zip(found, entry["logits"])) / largest
        wrong = len(found) != len(entry["logits"]) or not difference <= LARGEST_DIFFERENCE or (entry["says"] not in errors and f"not said: {entry['says']}")
        self.rows.append((kind, "WRONG" if wrong else "loaded", f"{difference:.1e}" + (f" ({wrong})" if wrong else "")))

    def report(self, title):
        count = {outcome: sum(row[1] == outcome for row in self.rows) for outcome in ("loaded", "refused", "WRONG")}
        largest = max((float(row[2].split()[0]) for row in self.rows if row[1] == "loaded"), default=0)
        print(f"\n{title}: {len(self.rows)} kinds, {count['loaded']} loaded (largest difference {largest:.1e} of the largest logit), "
              f"{count['refused']} refused, {count['WRONG']} wrong\n\n| kind | outcome | largest difference of logits, or what is said |\n|---|---|---|")
        for row in self.rows:
            print("| " + " | ".join(row) + " |")
        self.assertEqual([row for row in self.rows if row[1] == "WRONG"], [])

    def test_bad_files_are_refused_in_a_line(self):
        trace = self.folder / "owned"
        for kind, path, says in bad_files.write(self.folder, trace):
            self.refused(kind, path, says)
        self.report("bad files")
        self.assertFalse(trace.exists(), "something was run")
        self.assertGreaterEqual(len(self.rows), 40)

    def test_what_pytorch_and_other_libraries_write(self):
        made = 0
        for python in PYTHONS:
            if subprocess.run([python, "-c", "import torch, torchvision"], capture_output=True).returncode != 0:
                continue
            subprocess.run([python, "-B", str(HERE / "make_corpus.py"), str(self.folder)], check=True, timeout=500)
            manifest = json.loads((self.folder / "manifest.json").read_text())
            self.rows = []
            for entry in manifest["entries"]:
                path = self.folder / entry["file"]
                if "refused" in entry:
                    self.refused(entry["kind"], path, entry["refused"], entry["options"])
                else:
                    self.loaded(entry["kind"], path, entry, self.folder / "image.bmp")
                path.unlink()
            for kind, why in manifest["skipped"]:
                print(f"skipped: {kind}: {why}")
            self.report(manifest["made_by"])
            self.assertGreaterEqual(len(self.rows), 40)
            made += 1
        if made == 0:
            self.skipTest(f"no torch and torchvision in {', '.join(PYTHONS)} (EDGEPRUNE_TORCH_PYTHON)")


if __name__ == "__main__":
    unittest.main()
