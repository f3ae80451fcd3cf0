"""Studies by plan files: what they come to, what is refused, and what happens when the disk is full or two meet."""

import csv
import json
import os
import resource
import signal
import subprocess
import time
import unittest

from support import CommandTest, read_safetensors

EXPERIMENT = {"method": "channel", "mode": "compact", "schedule": "one-shot", "targets": [0.5], "epochs": 1}


def limit_file_size():
    """To run in the child: a write beyond a megabyte fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


class Studies(CommandTest):
    def plan(self, **entries):
        path = self.folder / "plan.json"
        path.write_text(json.dumps({
            "baseline": {"epochs": 1}, "training": {"batch": 8}, "data": {"test_images": 10},
            "latency": {"batches": [1], "seconds": 0.001, "min_samples": 1, "warmup_seconds": 0.001},
            "experiments": [EXPERIMENT]} | entries))
        return path

    def arguments(self, plan, *more):
        return ("study", "--plan", plan, "--data", "synthetic:32", "--weights", "random", "--out",
                self.folder / "study", "--threads", 1, *more)

    def rows(self):
        return [json.loads(line) for line in (self.folder / "study" / "runs.jsonl").read_text().splitlines()]

    def test_a_dry_run_prints_the_steps_and_writes_nothing(self):
        code, output, errors = self.run_command("study", "--plan", "original", "--dry-run", "--format", "json",
                                                "--data", "synthetic:400")
        self.assertEqual(code, 0, errors)
        steps = json.loads(output)
        self.assertEqual((steps[-1]["step"], steps[-1]["row"]), ("43 steps", "24 rows"))
        self.assertEqual(steps[-1]["images"], 126 * 400)
        self.assertEqual(self.json_of("study", "--quick", "--dry-run"), self.json_of("study", "--plan", "quick", "--dry-run"))
        self.succeed(*self.arguments(self.plan(), "--dry-run", "--seeds", "0,1"))
        self.assertEqual([path.name for path in self.folder.iterdir()], ["plan.json"])

    def test_a_plan_file_is_run_and_flags_go_before_it(self):
        self.succeed(*self.arguments(self.plan(), "--batch", 16, "--bn-recalibrate", 8, "--seed", 5,
                                     "--label-smoothing", 0.1, "--class-weights", "balanced"))
        study = json.loads((self.folder / "study" / "study.json").read_text())
        self.assertEqual((study["plan"], study["batch"]), ("plan", 16))
        self.assertEqual(study["refinements"]["class_weights"], "balanced")
        about = study["about"]
        self.assertEqual([about[key] for key in ("train_images", "of_train_images", "test_images", "of_test_images")],
                         [32, 32, 8, 8])
        self.assertFalse(about["cifar10"])
        self.assertIn("study --plan", about["command"])
        self.assertRegex(about["training"], "class weights balanced, label smoothing 0.1")
        report = (self.folder / "study" / "report.md").read_text()
        self.assertIn("tested on the whole test set, 8 images, seed 5", report)
        self.assertNotIn("original: ", report)
        baseline, compact = self.rows()
        self.assertEqual([baseline["id"], compact["id"]], ["baseline", "channel-compact-one-shot-50"])
        self.assertEqual([baseline["seed"], compact["seed"]], [5, 5])
        self.assertEqual(compact["recovery"], "bn-recalibrate 8")
        with open(self.folder / "study" / "results.csv", newline="") as file:
            listed = list(csv.DictReader(file))
        for row, line in zip(self.rows(), listed, strict=True):
            self.assertEqual((row["worst_class"]["name"], f"{100 * row['worst_class']['recall']:.2f}"),
                             (line["of class"], line["least recall %"]))
        self.assertIn("| least recall % |", report)
        self.assertEqual(compact["parameters"], baseline["stored_parameters"])
        self.assertLess(compact["stored_parameters"], 0.4 * baseline["stored_parameters"])
        self.assertEqual({(cell["engine"], cell["batch"], cell["threads"]) for cell in compact["latency"]},
                         {(engine, 1, 1) for engine in ("dense", "sparse", "auto")})
        self.succeed(*self.arguments(self.plan(), "--remeasure"))
        self.assertEqual([row["sha256"] for row in self.rows()], [baseline["sha256"], compact["sha256"]])

    def test_plans_that_are_none_are_refused(self):
        for entries, says in (({"epochs": 3}, "plan.json: epochs: unknown key"),
                              ({"baseline": {"epochs": "1"}}, "plan.json: baseline.epochs: "),
                              ({"experiments": [EXPERIMENT | {"targets": [1.5]}]}, "experiments[0].targets[0]: "),
                              ({"experiments": [EXPERIMENT | {"keep": ["features.77"]}]}, "experiments[0].keep: "),
                              ({"experiments": [EXPERIMENT, EXPERIMENT]}, "is there already")):
            self.fail(*self.arguments(self.plan(**entries)), says=says)
        self.fail("study", "--plan", self.folder / "missing.json", "--dry-run", says="missing.json")
        (self.folder / "plan.json").write_text("{\n")
        self.fail(*self.arguments(self.folder / "plan.json"), says="line 2")
        self.fail(*self.arguments(self.plan(), "--quick"), code=2, says="--quick")
        self.fail(*self.arguments(self.plan(), "--seeds", "1,1"), code=2, says="--seeds: 1 is given twice")
        self.fail("study", "--quick", says="--out is missing", code=2)

    def test_every_flag_of_training_is_taken_and_remembered(self):
        """Held-out images choose the best epoch and end trainings that get no better; nothing else goes on."""
        flags = {"--batch": 16, "--lr": 0.002, "--optimizer": "sgd", "--lr-schedule": "cosine", "--weight-decay": 0.001,
                 "--crop-padding": 2, "--warm-up": 1, "--label-smoothing": 0.1, "--class-weights": "balanced",
                 "--colour": 0.1, "--rotation": 5, "--patience": 1, "--mean": "0.5,0.5,0.5", "--std": "0.25,0.25,0.25",
                 "--val-split": 10}
        words = lambda flags: [word for pair in flags.items() for word in pair]
        plan = self.plan(baseline={"epochs": 30}, data={})
        self.succeed(*self.arguments(plan, *words(flags), "--no-flip"))
        study = json.loads((self.folder / "study" / "study.json").read_text())
        self.assertEqual((study["validation images"], study["refinements"]["patience"]), (10, 1))
        about = study["about"]
        self.assertEqual((about["train_images"], about["of_train_images"], about["validation_images"]), (22, 32, 10))
        _, metadata = read_safetensors(self.folder / "study" / "models" / "baseline.safetensors")
        normalisation, (_, trained) = json.loads(metadata["normalisation"]), json.loads(metadata["history"])
        self.assertEqual(normalisation, {"mean": [0.5] * 3, "std": [0.25] * 3})
        self.assertEqual(trained["validation"]["images"], 10)
        self.assertLess(trained["stopped_after"], 30)
        self.assertEqual(len(self.rows()[0]["curve"]), trained["stopped_after"])
        self.assertIn("the epoch that was best on 10 training images held out", (self.folder / "study" / "report.md").read_text())
        for flag in flags:
            others = {name: value for name, value in flags.items() if name != flag}
            if flag == "--val-split":
                others[flag] = 11
            code, _, errors = self.run_command(*self.arguments(plan, *words(others), "--no-flip", "--resume"))
            self.assertEqual(code, 1, flag)
            self.assertIn("holds another study", errors, flag)
        self.fail(*self.arguments(plan, "--patience", 1), says="--patience needs images held out, by --val-split", code=2)

    def test_flags_that_no_plan_can_have_together_are_wrong_usage(self):
        distilled = self.plan(experiments=[EXPERIMENT | {"recovery": {"distill": {"temperature": 4, "alpha": 0.5}}}])
        self.fail(*self.arguments(distilled, "--label-smoothing", 0.1), says="distillation has no smoothed labels", code=2)
        self.fail(*self.arguments(self.plan(experiments=[EXPERIMENT | {"epochs": 2}]), "--rewind"),
                  says="experiments[0].epochs: 2 cannot rewind to a baseline of 1", code=2)

    def test_two_at_once_in_one_folder(self):
        long = self.plan(baseline={"epochs": 1000})
        first = self.start(*self.arguments(long), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 100
        while not (self.folder / "study" / "study.json").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        code, output, errors = self.run_command(*self.arguments(long, "--resume"))
        self.assertEqual((code, output), (1, ""))
        self.assertRegex(errors, rf"\Aedgeprune: [^\n]*lock: process {first.pid} is at work here[^\n]*\n\Z")
        first.kill()
        first.communicate()
        self.assertIn("differs", self.run_command(*self.arguments(self.plan(), "--resume"))[2], "it is free again")

    def test_a_full_disk_loses_nothing(self):
        code, output, errors = self.run_command(*self.arguments(self.plan()), preexec_fn=limit_file_size)
        self.assertEqual((code, output), (1, ""))
        self.assertRegex(errors.splitlines()[-1], rf"\Aedgeprune: [^\n]*cannot write: {os.strerror(27)}\Z")
        self.assertEqual(list((self.folder / "study").rglob("*.tmp*")), [])
        self.succeed(*self.arguments(self.plan(), "--resume"))
        self.assertEqual([row["id"] for row in self.rows()], ["baseline", "channel-compact-one-shot-50"])


if __name__ == "__main__":
    unittest.main()
