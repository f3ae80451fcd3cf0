"""Work that is interrupted or killed, and goes on."""

import json
import signal
import subprocess
import time
import unittest

from support import ROOT, CommandTest


class Training(CommandTest):
    def arguments(self, name, *more):
        return ("train", "--data", "synthetic:200", "--weights", "random", "--out", self.folder / name,
                "--epochs", 3, "--batch", 20, "--threads", 1, "--format", "csv", *more)

    def stop_in_second_epoch(self, name, number):
        """What came on stderr after the signal."""
        process = self.start(*self.arguments(name))
        for line in process.stderr:  # what takes over two seconds shows its progress, too
            if line.startswith("epoch 1/3: "):
                break
            self.assertTrue(line.startswith("epoch 1/3 "), line)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
        self.assertEqual(output, "")
        self.assertFalse((self.folder / name).exists())
        self.assertTrue((self.folder / (name + ".state")).exists())
        return process.returncode, errors

    def test_resumed_equals_undisturbed_bit_for_bit(self):
        self.succeed(*self.arguments("undisturbed.safetensors"))
        expected = (self.folder / "undisturbed.safetensors").read_bytes()

        code, errors = self.stop_in_second_epoch("interrupted.safetensors", signal.SIGINT)
        self.assertEqual(code, 130)
        self.assertRegex(errors, r"\Aedgeprune: interrupted[^\n]*\n\Z")
        self.assertEqual(list(self.folder.glob("*.tmp*")), [])
        table = self.succeed(*self.arguments("interrupted.safetensors", "--resume"))
        self.assertEqual([line.split(",")[0] for line in table.splitlines()], ["epoch", "1", "2", "3"])
        self.assertEqual((self.folder / "interrupted.safetensors").read_bytes(), expected)
        self.assertFalse((self.folder / "interrupted.safetensors.state").exists())

        code, errors = self.stop_in_second_epoch("killed.safetensors", signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        code, _, errors = self.run_command(*self.arguments("killed.safetensors", "--resume", "--seed", 7))
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"\Aedgeprune: [^\n]* differs[^\n]*\n\Z")
        self.succeed(*self.arguments("killed.safetensors", "--resume"))
        self.assertEqual((self.folder / "killed.safetensors").read_bytes(), expected)


class Pruning(CommandTest):
    def arguments(self, name, *more):
        return ("prune", "--model", self.base, "--method", "magnitude", "--schedule", "exact", "--sparsity", 0.3,
                "--data", "synthetic:120", "--batch", 20, "--epochs", 2, "--threads", 1, "--format", "csv",
                "--out", self.folder / name, *more)

    def stop(self, name, line, number, *more):
        """Sends a signal once a line on stderr begins with this."""
        process = self.start(*self.arguments(name, *more))
        for text in process.stderr:
            if text.startswith(line):
                break
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(output, "")
        self.assertFalse((self.folder / name).exists())
        return process.returncode

    def test_stopped_and_killed_it_ends_with_the_same_file(self):
        self.succeed(*self.arguments("undisturbed"))
        expected = (self.folder / "undisturbed").read_bytes()
        self.assertEqual(self.stop("out", "step 1/3: epoch 1/2", signal.SIGINT), 130)
        self.assertEqual(self.stop("out", "step 2/3: epoch 1/2", signal.SIGKILL, "--resume"), -signal.SIGKILL)
        self.assertEqual(self.stop("out", "step 3/3: pruned", signal.SIGKILL, "--resume"), -signal.SIGKILL)
        code, output, errors = self.run_command(*self.arguments("out", "--resume", "--seed", 7))
        self.assertEqual((code, output), (1, ""))
        self.assertRegex(errors.splitlines()[-1], r"\Aedgeprune: .* its seed differs")  # behind the plan
        table = self.succeed(*self.arguments("out", "--resume"))
        self.assertEqual([line.split(",")[0] for line in table.splitlines()], ["step", "1", "2", "3"])
        self.assertEqual((self.folder / "out").read_bytes(), expected)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["out", "undisturbed"])


class Studies(CommandTest):
    def setUp(self):
        """The quick plan, with next to no measuring."""
        super().setUp()
        plan = json.loads((ROOT / "tools" / "study" / "plans" / "quick.json").read_text())
        plan["latency"] = {"seconds": 0.001, "min_samples": 1, "warmup_seconds": 0.001}
        self.plan = self.folder / "plan.json"
        self.plan.write_text(json.dumps(plan))

    def arguments(self, *more):
        return ("study", "--data", "synthetic:32", "--weights", "random", "--plan", self.plan, "--out",
                self.folder / "study", "--batch", 16, "--threads", 1, *more)

    def ids(self):
        """Of the finished rows."""
        path = self.folder / "study" / "runs.jsonl"
        if not path.exists():
            return []
        text = path.read_text()
        return [json.loads(line)["id"] for line in text[: text.rfind("\n") + 1].splitlines()]

    def kill_after(self, rows, *more):
        process = self.start(*self.arguments(*more), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 100
        while len(self.ids()) < rows:
            self.assertIsNone(process.poll(), "ended before it was killed")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        process.kill()
        process.communicate()

    def test_killed_it_goes_on_without_repeating_a_row(self):
        self.kill_after(1)
        code, _, errors = self.run_command(*self.arguments())
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"\Aedgeprune: [^\n]*--resume[^\n]*\n\Z")
        first = (self.folder / "study" / "runs.jsonl").read_bytes()
        self.kill_after(2, "--resume")
        self.kill_after(3, "--resume")
        self.assertEqual(self.ids()[:3], ["baseline", "baseline-int8", "lamp-one-shot-50"])
        self.assertEqual(len(set(self.ids())), len(self.ids()))
        self.assertTrue((self.folder / "study" / "runs.jsonl").read_bytes().startswith(first))

        rows = json.loads(self.succeed("report", self.folder / "study", "--format", "json"))
        self.assertEqual(len(rows), len(self.ids()))
        self.assertIn("magnitude", (self.folder / "study" / "report.md").read_text())


if __name__ == "__main__":
    unittest.main()
