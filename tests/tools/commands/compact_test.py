"""prune --mode group-mask and compact, and the compact command: smaller files that compute the same."""

import json
import struct
import unittest

from support import CommandTest, read_safetensors, write_bmp


def by_name(rows):
    return {row["what"]: row for row in rows}


class Compact(CommandTest):
    def prune(self, mode, *flags, model=None, sparsity=0.5, name=None):
        """The checkpoint written, and the table's rows by name."""
        out = self.folder / (name or f"{mode}.safetensors")
        rows = self.json_of("prune", "--model", model or self.base, "--method", "channel", "--mode", mode,
                            "--sparsity", sparsity, "--out", out, *flags)
        return out, by_name(rows)

    def compact(self, masked, *flags):
        out = self.folder / "compacted.safetensors"
        return out, by_name(self.json_of("compact", "--model", masked, "--out", out, "--limit", 60, *flags))

    def logits(self, model, image, engine="dense"):
        row = self.json_of("predict", "--model", model, "--logits", "--engine", engine, image)[0]
        return [entry["logit"] for entry in row["logits"]]

    def test_a_masked_model_becomes_a_small_one_that_computes_the_same(self):
        masked, planned = self.prune("group-mask")
        small, rows = self.compact(masked)
        self.assertLessEqual(rows["largest logit difference"]["after"], 1e-4)
        for name, row in planned.items():
            self.assertEqual((row["before"], row["after"]), (rows[name]["before"], rows[name]["after"]), name)
        self.assertEqual(rows["parameters"]["before"], 2236682)
        self.assertLess(rows["parameters"]["left_percent"], 30)
        self.assertLess(rows["multiply-adds"]["left_percent"], 35)
        self.assertEqual(rows["file bytes"]["before"], masked.stat().st_size)
        self.assertEqual(rows["file bytes"]["after"], small.stat().st_size)
        totals = {row["layer"]: row for row in self.json_of("info", "--model", small)["layers"]}
        self.assertEqual(totals["all parameters"]["parameters"], rows["parameters"]["after"])
        self.assertEqual(totals["all prunable"]["sparsity_percent"], 0)
        steps = [step["step"] for step in json.loads(read_safetensors(small)[1]["history"])]
        self.assertEqual(steps, ["random", "train", "prune", "compact"])

    def test_compact_at_once_gives_the_same_weights(self):
        masked, _ = self.prune("group-mask", sparsity=0.3)
        small, _ = self.compact(masked)
        at_once, rows = self.prune("compact", sparsity=0.3)
        self.assertEqual(read_safetensors(at_once)[0], read_safetensors(small)[0])
        self.assertEqual(rows["file bytes"]["after"], at_once.stat().st_size)
        step = json.loads(read_safetensors(at_once)[1]["history"])[-1]
        self.assertEqual((step["step"], step["method"], step["mode"], step["sparsity"]),
                         ("prune", "channel", "compact", 0.3))

    def test_every_command_takes_odd_channel_counts(self):
        small, rows = self.prune("compact", sparsity=0.37)
        self.assertTrue(any(row["after"] % 2 for row in rows.values()))
        image = self.folder / "image.bmp"
        write_bmp(image, 32, 32, lambda x, y: (8 * x, 8 * y, 100))
        for dense, sparse in zip(self.logits(small, image), self.logits(small, image, "sparse")):
            self.assertAlmostEqual(dense, sparse, delta=1e-4)
        for engine in ("dense", "sparse"):
            row = self.json_of("eval", "--model", small, "--data", "synthetic:40", "--engine", engine)[0]
            self.assertEqual(row["images"], 10)
        lines = self.json_of("latency", "--model", small, "--engine", "dense,sparse", "--batch", "1,3",
                             "--seconds", 0, "--min-samples", 3)
        self.assertEqual(len(lines), 4)
        tuned = self.folder / "tuned.safetensors"
        self.succeed("train", "--data", "synthetic:48", "--model", small, "--out", tuned, "--epochs", 1,
                     "--batch", 16, "--threads", 1)
        self.assertEqual(read_safetensors(tuned)[1]["graph"], read_safetensors(small)[1]["graph"])
        again, rows = self.prune("compact", model=tuned, sparsity=0.5, name="again.safetensors")
        self.assertLess(again.stat().st_size, tuned.stat().st_size)

    def test_group_masks_hold_through_fine_tuning(self):
        masked, planned = self.prune("group-mask", "--round-to", 8)
        tuned = self.folder / "tuned.safetensors"
        self.succeed("train", "--data", "synthetic:48", "--model", masked, "--out", tuned, "--epochs", 2,
                     "--batch", 16, "--threads", 1)
        self.assertNotEqual(read_safetensors(tuned)[0], read_safetensors(masked)[0])
        _, rows = self.compact(tuned, "--data", "synthetic:400")
        for name, row in planned.items():
            self.assertEqual(row["after"], rows[name]["after"], name)
        self.assertLessEqual(rows["largest logit difference"]["after"], 1e-3)

    def test_rounding_and_minimum_are_kept_and_explained(self):
        _, rows = self.prune("compact", "--round-to", 16, sparsity=0.7)
        for name, row in rows.items():
            if name.endswith(("stream", "expansion")) and row["before"] > 16:
                self.assertEqual(row["after"] % 16, 0, name)
                if row["note"]:
                    self.assertIn("rounded up to a multiple of 16", row["note"])
        _, rows = self.prune("compact", "--min-channels", 20, sparsity=0.9, name="minimum.safetensors")
        self.assertEqual(rows["features.0 stream"]["after"], 20)
        self.assertEqual(rows["features.0 stream"]["note"], "at least 20 channels stay")
        self.assertEqual(rows["features.1 stream"]["after"], 16)

    def test_a_dry_run_says_the_same_and_writes_nothing(self):
        arguments = ("prune", "--model", self.base, "--method", "channel", "--mode", "compact", "--sparsity", 0.5)
        planned = by_name(self.json_of(*arguments, "--dry-run"))
        self.assertEqual(list(self.folder.iterdir()), [])
        _, rows = self.prune("compact")
        self.assertEqual(rows.pop("file bytes")["before"], self.base.stat().st_size)
        self.assertEqual(rows, planned)
        masked, _ = self.prune("group-mask")
        before = sorted(self.folder.iterdir())
        dry = by_name(self.json_of("compact", "--model", masked, "--dry-run"))
        self.assertEqual(dry["parameters"], planned["parameters"])
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_channels_zeroed_per_layer_stay_where_the_bias_lives_and_are_explained(self):
        masked = self.folder / "masked.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "channel", "--sparsity", 0.5, "--out", masked)
        rows = by_name(self.json_of("compact", "--model", masked, "--dry-run"))
        self.assertRegex(rows["features.5 expansion"]["note"],
                         r"\d+ cannot go: filters are zero, batch norm's bias is not")

    def test_a_model_with_nothing_to_remove(self):
        out = self.folder / "out.safetensors"
        self.fail("compact", "--model", self.base, "--out", out, says="can go (--dry-run says why)")
        rows = by_name(self.json_of("compact", "--model", self.base, "--dry-run"))
        self.assertEqual(rows["channels"]["left_percent"], 100)
        masked, _ = self.prune("group-mask")
        small, _ = self.compact(masked)
        self.fail("compact", "--model", small, "--out", out, says="can go")

    def test_in_place(self):
        masked, _ = self.prune("group-mask")
        size = masked.stat().st_size
        rows = by_name(self.json_of("compact", "--model", masked, "--out", masked, "--limit", 10))
        self.assertEqual((rows["file bytes"]["before"], rows["file bytes"]["after"]), (size, masked.stat().st_size))

    def test_bad_options(self):
        out = self.folder / "out.safetensors"
        prune = ("prune", "--model", self.base, "--out", out, "--sparsity", 0.5, "--method")
        self.fail(*prune, "magnitude", "--mode", "compact", says="--mode compact is for --method channel", code=2)
        self.fail(*prune, "channel", "--mode", "shrink", says="shrink", code=2)
        self.fail(*prune, "channel", "--round-to", 8, says="--round-to", code=2)
        self.fail(*prune, "channel", "--mode", "compact", "--round-to", 0, says="--round-to", code=2)
        self.fail(*prune, "channel", "--mode", "compact", "--min-channels", -1, says="--min-channels", code=2)
        for sparsity in ("1.0", "-0.1", "nan", "inf"):
            self.fail("prune", "--model", self.base, "--method", "channel", "--mode", "compact",
                      f"--sparsity={sparsity}", "--out", out, says="[0, 1)", code=2)
        self.fail("compact", "--model", self.base, says="--out is missing", code=2)
        self.fail("compact", "--out", out, says="--model", code=2)
        self.fail("compact", "--model", self.folder / "missing", "--out", out, says="missing")
        self.fail("compact", "--model", self.base, "--out", out, "--limit", 0, says="--limit", code=2)

    def test_bad_models_and_data(self):
        masked, _ = self.prune("group-mask")
        out = self.folder / "out.safetensors"
        self.fail("compact", "--model", masked, "--out", out, "--data", self.folder, says=str(self.folder))
        self.fail("compact", "--model", masked, "--out", self.folder / "no" / "out.safetensors", says="no")
        self.fail("prune", "--model", masked, "--method", "channel", "--mode", "compact", "--sparsity", 0.3,
                  "--out", out, says="zero already")
        content = bytearray(masked.read_bytes())
        content[-4:] = struct.pack("<f", float("nan"))  # of the last tensor, whichever
        broken = self.folder / "broken.safetensors"
        broken.write_bytes(content)
        self.fail("compact", "--model", broken, "--out", out, says="has nan at index")
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8:8 + length])
        begin = 8 + length + header["features.4.conv.0.1.bias"]["data_offsets"][0]
        content = bytearray(masked.read_bytes())
        content[begin:begin + 4] = struct.pack("<f", float("inf"))
        broken.write_bytes(content)
        for mode in ("group-mask", "compact"):
            self.fail("prune", "--model", broken, "--method", "channel", "--mode", mode, "--sparsity", 0.6,
                      "--out", out, says="has inf at index 0")
        self.fail("compact", "--model", broken, "--out", out, says="features.4.conv.0.1.bias")


if __name__ == "__main__":
    unittest.main()
