"""Metrics that decide: recall and precision of classes, confusion matrices, thresholds."""

import csv
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import BINARY, CommandTest, read_safetensors, write_image_folder


class MetricsTest(CommandTest):
    def setUp(self):
        super().setUp()
        write_image_folder(self.folder / "parts", ("defect", "ok"), images=4)
        self.data = ("--data", self.folder / "parts")
        self.model = self.folder / "parts.safetensors"
        self.succeed("train", *self.data, "--weights", "random", "--width", 0.25, "--input-size", 32, "--epochs", 1,
                     "--out", self.model)

    def eval(self, *flags):
        return self.json_of("eval", "--model", self.model, *self.data, *flags)

    def test_the_classes_explain_the_accuracy(self):
        row = self.eval()[0]
        classes = self.eval("--per-class")
        self.assertEqual([c["class"] for c in classes], ["defect", "ok"])
        self.assertEqual([c["images"] for c in classes], [4, 4])
        self.assertEqual(sum(c["called"] for c in classes), 8)
        self.assertEqual(row["accuracy_percent"], 100 * sum(c["correct"] for c in classes) / 8)
        self.assertEqual(row["balanced_accuracy_percent"], sum(c["recall_percent"] for c in classes) / 2)
        self.assertEqual(row["worst_recall_percent"], min(c["recall_percent"] for c in classes))
        self.assertIn(row["worst_class"], ("defect", "ok"))

    def test_confusion_files(self):
        path = lambda extension: self.folder / ("confusion" + extension)
        for extension in (".json", ".csv", ".md"):
            self.succeed("eval", "--model", self.model, *self.data, "--confusion", path(extension))
        rows = json.loads(path(".json").read_text())
        self.assertEqual([sum(row[f"called {name}"] for name in ("defect", "ok")) for row in rows], [4, 4])
        with open(path(".csv")) as file:
            self.assertEqual(next(csv.reader(file)), ["class", "called defect", "called ok"])
        self.assertIn("| called defect |", path(".md").read_text())
        self.fail("eval", "--model", self.model, *self.data, "--confusion", path(".txt"), says="ending in .svg, .png", code=2)

    def test_a_threshold_moves_the_call(self):
        called = lambda *flags: [row["called"] for row in self.eval("--per-class", *flags)]
        self.assertEqual(called("--threshold", 0, "--positive", "defect"), [8, 0])
        self.assertEqual(called("--threshold", 0, "--positive", "ok"), [0, 8])
        self.assertEqual(called("--threshold", 1, "--positive", "defect"), [0, 8])
        both = ("eval", "--model", self.model, *self.data)
        for half in (("--threshold", 0.5), ("--positive", "ok")):
            self.fail(*both, *half, says="--threshold and --positive go together", code=2)
        self.fail(*both, "--threshold", 0.5, "--positive", "odd", says="expected 'defect' or 'ok', got 'odd'")
        self.fail(*both, "--threshold", 1.5, "--positive", "ok", says="--threshold", code=2)

    def test_predictions_of_folders_and_lists(self):
        names = [self.folder / "parts" / "test" / name / f"{i}.bmp" for name in ("defect", "ok") for i in range(4)]
        rows = self.json_of("predict", "--model", self.model, self.folder / "parts" / "test", "--probabilities")
        self.assertEqual([row["image"] for row in rows], list(map(str, names)))
        for row in rows:
            probability = {entry["class"]: entry["probability"] for entry in row["probabilities"]}
            self.assertAlmostEqual(probability["defect"] + probability["ok"], 1, places=6)
            self.assertEqual(row["class"], max(("defect", "ok"), key=probability.get))
        listed = self.folder / "list.txt"
        listed.write_text(f"{names[5]}\r\n\n{self.folder / 'parts' / 'test' / 'ok'}\n")
        rows = self.json_of("predict", "--model", self.model, names[0], "--list", listed)
        self.assertEqual([row["image"] for row in rows], list(map(str, [names[0], names[5], *names[4:]])))
        with open(listed) as file:
            done = subprocess.run([BINARY, "predict", "--model", self.model, "--list", "-", "--probabilities", "--format",
                                   "csv"], stdin=file, capture_output=True, text=True, check=True)
        rows = list(csv.DictReader(done.stdout.splitlines()))
        self.assertEqual(len(rows), 5)
        # As a shell's <(find ...) comes: a pipe by name.
        reading, writing = os.pipe()
        os.write(writing, f"{names[5]}\n".encode())
        os.close(writing)
        done = subprocess.run([BINARY, "predict", "--model", self.model, "--list", f"/dev/fd/{reading}", "--format", "json"],
                              pass_fds=[reading], capture_output=True, text=True, check=True)
        os.close(reading)
        self.assertEqual([row["image"] for row in json.loads(done.stdout)], [str(names[5])])
        self.assertEqual(list(rows[0]), ["image", "class", "defect", "ok"])

    def test_one_bad_image_discards_no_other(self):
        good = self.folder / "parts" / "test" / "ok" / "0.bmp"
        bad = self.folder / "bad.png"
        bad.write_bytes(b"no image")
        code, output, errors = self.run_command("predict", "--model", self.model, bad, good, self.folder / "gone.jpg",
                                                "--format", "json")
        self.assertEqual(code, 1)
        self.assertEqual([row["image"] for row in json.loads(output)], [str(good)])
        self.assertIn("bad.png", errors)
        self.assertIn("gone.jpg", errors)
        self.assertIn("2 of 3 images could not be read", errors)

    def test_predict_without_images_is_an_error(self):
        self.fail("predict", "--model", self.model, says="there are no images", code=2)
        self.fail("predict", "--model", self.model, "--list", self.folder / "none.txt", says="none.txt")

    def test_epochs_are_logged_while_training_runs_and_through_a_resume(self):
        out = self.folder / "logged.safetensors"
        log = self.folder / "logged.safetensors.epochs.csv"
        command = ("train", "--data", "synthetic:64", "--weights", "random", "--width", 0.25, "--input-size", 32,
                   "--batch", 32, "--test-each-epoch", "--out", out, "--threads", 1, "--resume")
        read = lambda: list(csv.DictReader(log.read_text().splitlines()))
        process = self.start(*command, "--epochs", 10000)
        while not (log.exists() and len(read()) >= 2):
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.kill()
        process.communicate()
        before = read()
        epochs = len(before) + 3
        # Constant rates: more epochs than begun for would be allowed, fewer are not.
        self.assertEqual(self.run_command(*command, "--epochs", epochs)[0], 1)
        process = self.start(*command, "--epochs", 10000)
        while len(read()) < epochs:
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.kill()
        process.communicate()
        after = read()
        self.assertEqual([row["epoch"] for row in after], [str(i + 1) for i in range(len(after))])
        self.assertEqual(after[:len(before)], before)
        self.assertNotEqual(after[-1]["test accuracy %"], "")

    def test_patience_and_normalisation(self):
        out = self.folder / "patient.safetensors"
        command = ("train", "--data", "synthetic:80", "--weights", "random", "--width", 0.25, "--input-size", 32,
                   "--out", out, "--threads", 1)
        self.fail(*command, "--patience", 2, says="--patience needs images held out, by --val-split", code=2)
        log = self.folder / "patient.safetensors.epochs.csv"
        log.write_text("my own\n")
        self.fail(*command, says=f"{log}: is where training logs its epochs, but no training wrote this file")
        self.assertEqual(log.read_text(), "my own\n")
        log.unlink()
        self.json_of(*command, "--epochs", 1)
        self.json_of(*command, "--epochs", 2)  # over its own
        self.assertEqual(len(log.read_text().splitlines()), 3)
        self.fail(*command, "--mean", "0.5,0.5", says="--mean", code=2)
        rows = self.json_of(*command, "--val-split", 10, "--patience", 2, "--lr", 1e-20, "--epochs", 50, "--mean",
                            "0.5,0.25,0.5", "--std", "0.5,0.5,0.25", "--class-weights", "balanced", "--warm-up", 1,
                            "--label-smoothing", 0.1, "--colour", 0.1, "--rotation", 5)
        self.assertLess(len(rows), 50)
        metadata = read_safetensors(out)[1]
        self.assertIn("0.25", json.dumps(metadata))
        step = json.loads(metadata["history"])[-1]
        self.assertEqual(step["stopped_after"], len(rows))
        self.assertEqual((step["patience"], step["warm_up"], step["class_weights"]), (2, 1, "balanced"))


if __name__ == "__main__":
    unittest.main()
