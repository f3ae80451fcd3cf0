"""What helps pruned networks back to their accuracy, and the scan of which layers need it."""

import json
import signal
import unittest

from support import CommandTest, read_safetensors


class Recovery(CommandTest):
    def setUp(self):
        super().setUp()
        self.pruned = self.folder / "pruned.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5,
                     "--out", self.pruned)

    def train(self, *more, epochs=1):
        return ("train", "--data", "synthetic:48", "--model", self.pruned, "--out", self.folder / "out.safetensors",
                "--epochs", epochs, "--batch", 16, "--threads", 1, *more)

    def test_all_together_are_in_the_history_and_zeros_stay(self):
        code, _, errors = self.run_command(*self.train(
            "--rewind", "--bn-recalibrate", 20, "--distill", "4,0.5", "--teacher", self.base))
        self.assertEqual(code, 0, errors)
        self.assertIn("rewinding: the baseline's learning rate was constant, 0.001", errors)
        tensors, metadata = read_safetensors(self.folder / "out.safetensors")
        step = json.loads(metadata["history"])[-1]
        self.assertEqual((step["distill"], step["bn_recalibrate"], step["rewind"]["epochs"]), ("4,0.5", 20, 1))
        before, _ = read_safetensors(self.pruned)
        changed = {name for name, values in before.items() if list(values) != list(tensors[name])}
        statistics = {name for name in before if "running" in name}
        self.assertLessEqual(statistics, changed)
        self.assertTrue(changed - statistics, "nothing was trained")
        for name in changed - statistics:
            if len(before[name]) > 3000:  # prunable, not a batch norm's or a bias
                self.assertTrue(all(b == 0 for a, b in zip(before[name], tensors[name]) if a == 0), name)

    def test_recalibration_alone_leaves_the_weights(self):
        self.succeed("train", "--data", "synthetic:48", "--model", self.pruned, "--out",
                     self.folder / "out.safetensors", "--epochs", 0, "--batch", 16, "--bn-recalibrate", 20)
        before, _ = read_safetensors(self.pruned)
        after, _ = read_safetensors(self.folder / "out.safetensors")
        changed = {name for name in before if before[name] != after[name]}
        self.assertTrue(changed)
        self.assertTrue(all("running" in name for name in changed), changed)

    def test_what_cannot_be_is_one_line(self):
        self.fail(*self.train("--distill", "4,0.5"), says="--distill and --teacher go together", code=2)
        self.fail(*self.train("--teacher", self.base), says="--distill and --teacher go together", code=2)
        self.fail(*self.train("--distill", "4", "--teacher", self.base), says="expected T,alpha", code=2)
        self.fail(*self.train("--distill", "4,0.5", "--teacher", self.folder / "no.safetensors"), says="no.safetensors")
        self.fail(*self.train("--rewind", epochs=2), says="2 epochs cannot replay", code=1)


class Sensitivity(CommandTest):
    def arguments(self, **changed):
        options = {"model": self.base, "data": "synthetic:48", "levels": 0.5, "images": 20, "method": "magnitude",
                   "out": self.folder / "scan"} | changed
        return ("sensitivity", *(word for name, value in options.items() for word in (f"--{name}", value)),
                "--bn-recalibrate", 4, "--threads", 1, "--seconds", 0, "--min-samples", 1, "--warmup", 0)

    def test_a_row_for_each_layer_and_a_picture(self):
        rows = self.json_of(*self.arguments())
        self.assertEqual(len(rows), 53)
        self.assertEqual({row["level_percent"] for row in rows}, {50})
        self.assertTrue(all(row["dense_ms"] > 0 and row["sparse_ms"] > 0 for row in rows))
        log = (self.folder / "scan" / "sensitivity.jsonl").read_bytes()
        again = self.json_of(*self.arguments())
        self.assertEqual([row["accuracy_percent"] for row in again], [row["accuracy_percent"] for row in rows])
        self.assertEqual((self.folder / "scan" / "sensitivity.jsonl").read_bytes(), log, "only read")
        channels = self.json_of(*self.arguments(method="channel", out=self.folder / "channels"))
        self.assertEqual(len(channels), 52)

    def test_half_of_a_small_set_is_tested_on_by_default(self):
        rows = self.json_of("sensitivity", "--model", self.base, "--data", "synthetic:24", "--levels", 0.5, "--threads", 1,
                            "--seconds", 0, "--min-samples", 1, "--warmup", 0, "--out", self.folder / "scan")
        self.assertEqual({(row["training_images"], row["bn_recalibrate"]) for row in rows}, {(12, 12)})

    def test_ctrl_c_keeps_what_was_measured(self):
        process = self.start(*self.arguments())
        log = self.folder / "scan" / "sensitivity.jsonl"
        while process.poll() is None and (not log.exists() or log.read_bytes().count(b'"accuracy"') < 3):
            pass
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        before = log.read_bytes()
        self.succeed(*self.arguments())
        self.assertTrue(log.read_bytes().startswith(before))

    def test_what_cannot_be_is_one_line(self):
        self.fail(*self.arguments(levels=1.5), says="--levels: expected a fraction in [0, 1)", code=2)
        self.fail(*self.arguments(images=48), says="--limit: cannot hold 48 of 48")
        self.fail(*self.arguments(model=self.folder / "no.safetensors"), says="no.safetensors", code=1)
        self.fail(*self.arguments(data=self.folder / "no"), says="no")


if __name__ == "__main__":
    unittest.main()
