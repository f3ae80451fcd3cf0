"""prune in steps: planned, fine-tuned in between, guarded; limits; bad input. (Stopped and resumed: resume_test.py.)"""

import json
import unittest

from support import CommandTest, read_safetensors

PRUNABLE = 2202560
TUNING = ("--data", "synthetic:48", "--batch", 16, "--epochs", 1, "--threads", 1)


def zero_weights(path):
    tensors, _ = read_safetensors(path)
    return {name: sum(value == 0.0 for value in values) for name, values in tensors.items()
            if name.endswith(".weight") and name.replace("weight", "running_var") not in tensors}


class Schedules(CommandTest):
    def prune(self, *arguments):
        return ("prune", "--model", self.base, *arguments)

    def test_a_dry_run_plans_every_step_and_layer(self):
        rows = self.json_of(*self.prune("--method", "magnitude", "--schedule", "compounding", "--sparsity", 0.3,
                                        "--dry-run"))
        self.assertEqual(list(self.folder.iterdir()), [])
        totals = {row["step"]: row for row in rows if row["layer"] == "all prunable"}
        left = PRUNABLE
        for step, fraction in ((1, 0.1), (2, 0.2), (3, 0.3)):
            gone = round(fraction * left)
            self.assertEqual(totals[step]["weights_to_go"], gone)
            layers = [row for row in rows if row["step"] == step and not row["layer"].startswith("all ")]
            self.assertEqual(len(layers), 53)
            self.assertEqual(sum(row["weights_to_go"] for row in layers), gone)
            self.assertEqual(sum(row["multiply_adds_left"] for row in layers), totals[step]["multiply_adds_left"])
            left -= gone
        _, _, errors = self.run_command(*self.prune("--method", "channel", "--mode", "compact", "--schedule", "exact",
                                                    "--sparsity", 0.2, "--dry-run"))
        self.assertIn("without the fine-tuning in between", errors)
        self.assertRegex(errors, r"step 2/2, 0.2 of the original channels: [\d.]+ % of all parameters, [\d.]+ % of "
                                 r"the prunable weights, [\d.]+ % of the multiply-adds zero or gone; \d+ multiply-adds")

    def test_exact_lands_on_the_weight_with_fine_tuning_in_between(self):
        out = self.folder / "out.safetensors"
        rows = self.json_of(*self.prune("--method", "lamp", "--schedule", "exact", "--sparsity", 0.4, "--step", 0.2,
                                        "--bn-recalibrate", 16, "--rewind", "--distill", "4,0.5", *TUNING,
                                        "--out", out))
        self.assertEqual([row["step"] for row in rows], [1, 2])
        self.assertEqual(sum(zero_weights(out).values()), round(0.4 * PRUNABLE))
        history = json.loads(read_safetensors(out)[1]["history"])
        self.assertEqual([step["step"] for step in history], ["random", "train"] + 2 * ["prune", "train"])
        self.assertEqual(history[2]["schedule"], "exact")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["out.safetensors"])

    def test_compact_models_shrink_step_by_step(self):
        out, at_once = self.folder / "out.safetensors", self.folder / "at once.safetensors"
        grouped = ("--method", "channel", "--mode", "compact", "--sparsity", 0.4)
        self.succeed(*self.prune(*grouped, "--schedule", "exact", "--step", 0.2, *TUNING, "--out", out))
        self.succeed(*self.prune(*grouped, "--out", at_once))
        self.assertEqual(read_safetensors(out)[1]["graph"], read_safetensors(at_once)[1]["graph"])

    def test_one_shot_with_epochs_fine_tunes_and_holds_the_zeros(self):
        out = self.folder / "out.safetensors"
        rows = self.json_of(*self.prune("--method", "magnitude", "--sparsity", 0.5, *TUNING, "--out", out))
        self.assertEqual(len(rows), 1)
        self.assertEqual(sum(zero_weights(out).values()), PRUNABLE // 2)

    def test_blocks_go_together(self):
        out = self.folder / "out.safetensors"
        status, _, errors = self.run_command(*self.prune("--method", "lamp", "--block", "4x1", "--sparsity", 0.5,
                                                         "--out", out))
        self.assertEqual(status, 0)
        self.assertIn("the last blocks smaller, in classifier.1 (10 outputs)", errors)
        tensors, metadata = read_safetensors(out)
        self.assertEqual(json.loads(metadata["history"])[-1]["block"], "4x1")
        weights = tensors["features.18.0.weight"]  # 1280 outputs of 320 inputs
        for at in range(0, 1280 * 320, 4 * 320):
            for i in range(at, at + 320):
                self.assertEqual(len({weights[i + row * 320] == 0 for row in range(4)}), 1)
        zeros = sum(zero_weights(out).values())
        self.assertAlmostEqual(zeros / PRUNABLE, 0.5, places=2)
        self.fail(*self.prune("--method", "channel", "--block", "4x1", "--sparsity", 0.5, "--out", out),
                  says="--block 4x1 is for methods that take weights, not for --method channel", code=2)

    def test_scores_that_are_measured_name_their_images(self):
        data = ("--data", "synthetic:48", "--threads", 1)
        for method, extra, images in (("taylor", (), 48), ("channel-taylor", ("--mode", "compact"), 20),
                                      ("channel-taylor", ("--schedule", "exact", "--step", 0.2, "--epochs", 0), 48)):
            out = self.folder / "out.safetensors"
            counted = () if images == 48 else ("--score-images", images)
            self.succeed(*self.prune("--method", method, "--sparsity", 0.4, "--seed", 3, *extra, *counted, *data,
                                     "--out", out))
            history = json.loads(read_safetensors(out)[1]["history"])
            steps = [step for step in history if step["step"] == "prune"]
            self.assertEqual([(s["method"], s["score_images"], s["seed"]) for s in steps],
                             [(method, images, 3)] * len(steps))
            self.assertEqual(len(steps), 2 if "--schedule" in extra else 1)
            if method == "taylor":
                self.assertEqual(sum(zero_weights(out).values()), round(0.4 * PRUNABLE))
        rows = self.json_of(*self.prune("--method", "taylor", "--sparsity", 0.4, *data, "--dry-run"))
        self.assertEqual(rows[0]["weights"], 864)

    def test_scores_that_are_measured_want_data(self):
        out = self.folder / "out.safetensors"
        missing = ("prune", "--model", self.folder / "none", "--method", "taylor", "--sparsity", 0.5)
        for more in (("--out", out), ("--dry-run",)):
            self.fail(*missing, *more, code=2,
                      says="--data is missing: method taylor measures its scores on training images")
        self.fail(*self.prune("--method", "magnitude", "--sparsity", 0.5, "--score-images", 64, "--out", out), code=2,
                  says="--score-images is for --method taylor or channel-taylor, not magnitude")
        self.fail(*self.prune("--method", "taylor", "--mode", "compact", "--data", "synthetic:20", "--sparsity", 0.5,
                              "--out", out), code=2, says="is for --method channel or channel-taylor, not taylor")
        for count in (0, -1, "many"):
            self.fail(*self.prune("--method", "taylor", "--data", "synthetic:20", "--sparsity", 0.5,
                                  "--score-images", count, "--out", out), code=2, says="--score-images: expected a")
        self.fail("sensitivity", "--model", self.base, "--data", "synthetic:20", "--score-images", 9, code=2,
                  says="--score-images is for --method taylor or channel-taylor, not magnitude")

    def test_limits_hold(self):
        out = self.folder / "out.safetensors"
        self.succeed(*self.prune("--method", "magnitude", "--sparsity", 0.8, "--keep", "features.0.0,classifier.1",
                                 "--min-density", 0.1, "--out", out))
        zeros = zero_weights(out)
        self.assertEqual(sum(zeros.values()), round(0.8 * PRUNABLE))
        self.assertEqual((zeros["features.0.0.weight"], zeros["classifier.1.weight"]), (0, 0))
        for row in self.json_of("info", "--model", out)["layers"]:
            self.assertLessEqual(row["sparsity_percent"], 90, row)

    def test_a_layer_that_dies_is_named(self):
        for extra in ((), ("--schedule", "cubic", "--steps", 3)):
            arguments = self.prune("--method", "magnitude", "--sparsity", 0.9999, "--dry-run", *extra)
            _, output, errors = self.run_command(*arguments, "--format", "json")
            rows = json.loads(output)
            dead = [row["layer"] for row in rows
                    if row["step"] == rows[-1]["step"] and row["zeros_after"] == row["weights"]]
            self.assertGreater(len(dead), 5)
            self.assertIn(f"warning: no weight of {', '.join(dead[:5])} and {len(dead) - 5} more layers is left", errors)
            self.assertNotIn("warning", self.run_command(*arguments, "--min-density", 0.00005)[2])

    def test_the_guard_keeps_the_last_good_model_and_says_so(self):
        good, out = self.folder / "good.safetensors", self.folder / "out.safetensors"
        self.succeed("train", "--data", "synthetic:400", "--weights", "random", "--out", good, "--epochs", 4,
                     "--batch", 20, "--threads", 1)
        code, output, errors = self.run_command(
            "prune", "--model", good, "--method", "magnitude", "--schedule", "exact", "--step", 0.33,
            "--sparsity", 0.99, "--data", "synthetic:400", "--epochs", 0, "--val-split", 200, "--threads", 1,
            "--min-accuracy", 0.2, "--out", out, "--format", "json")
        self.assertEqual(code, 0, errors)
        kept = [row["kept"] for row in json.loads(output)]
        self.assertEqual(kept, (len(kept) - 1) * ["yes"] + ["no"])
        self.assertRegex(errors, rf"stopped: step {len(kept)} fell to [\d.]+ %, below 20.00 %; {out} is the model ")
        self.assertEqual(sum(zero_weights(out).values()), round(0.33 * (len(kept) - 1) * PRUNABLE))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), [good.name, f"{good.name}.epochs.csv", out.name])


class BadInput(CommandTest):
    def test_one_clear_line(self):
        out = self.folder / "out.safetensors"
        prune = ("prune", "--model", self.base, "--out", out, "--sparsity", 0.5, "--method")
        self.fail(*prune, "magnitude", "--schedule", "exact", says="--data is missing", code=2)
        self.fail(*prune, "magnitude", "--schedule", "linear", says="linear", code=2)
        self.fail(*prune, "magnitude", "--schedule", "exact", "--step", 2, "--data", "synthetic:48", says="--step", code=2)
        self.fail(*prune, "lamp", "--mode", "compact", says="--mode compact is for --method channel", code=2)
        self.fail(*prune, "lamp", "--keep", "features.0", says="there is features.0.0")
        self.fail(*prune, "lamp", "--keep", "stem", says="layers are called features.0.0")
        self.fail(*prune, "lamp", "--min-density", 0.6, says="at the most")
        self.fail(*prune, "channel", "--mode", "compact", "--min-density", 1, says="no group can shrink")
        self.fail(*prune, "magnitude", "--rewind", says="--epochs", code=2)
        self.fail(*prune, "magnitude", "--teacher", self.base, says="--distill", code=2)
        self.fail(*prune, "magnitude", "--distill", "4", "--epochs", 1, says="T,alpha", code=2)
        self.fail(*prune, "magnitude", "--min-accuracy", 0.5, "--val-split", 0, says="--val-split", code=2)
        self.fail(*prune, "magnitude", "--min-accuracy", 0.5, "--val-split", 5000, "--data", "synthetic:48",
                  says="--val-split 5000")
        self.fail(*prune, "magnitude", "--min-accuracy", 85, says="--min-accuracy", code=2)
        self.fail(*prune, "magnitude", "--epochs", 1, "--data", self.folder, says=str(self.folder))

    def test_targets_below_what_is_pruned_already(self):
        small = self.folder / "small.safetensors"
        grouped = ("--method", "channel", "--mode", "compact")
        self.succeed("prune", "--model", self.base, *grouped, "--sparsity", 0.4, "--out", small)
        self.fail("prune", "--model", small, *grouped, "--sparsity", 0.2, "--out", self.folder / "out",
                  says="zero already")
        self.fail("prune", "--model", small, *grouped, "--sparsity", 0.3, "--schedule", "exact", *TUNING,
                  "--out", self.folder / "out", says="zero already")


if __name__ == "__main__":
    unittest.main()
