"""The subcommands on input that is as it should be."""

import csv
import hashlib
import io
import json
import math
import os
import re
import shutil
import unittest

from support import ROOT, SHARED, CommandTest, commands, read_safetensors, write_bmp, write_image_folder

PRUNABLE = 2202560
SHORT = ("--seconds", 0, "--min-samples", 3, "--warmup", 0)  # next to no measuring


def zeros(path):
    """Positions of zeros in every convolution's and the head's weight."""
    tensors, _ = read_safetensors(path)
    return {name: {i for i, value in enumerate(values) if value == 0.0}
            for name, values in tensors.items()
            if name.endswith(".weight") and name.replace("weight", "running_var") not in tensors}


class Commands(CommandTest):
    def test_help_of_every_subcommand_gives_an_example(self):
        self.assertIn("first run", self.succeed("--help"))
        self.assertGreaterEqual(len(commands()), 12)
        for command in commands():
            self.assertIn(f"edgeprune {command} ", self.succeed(command, "--help"))

    def test_import_takes_the_body_and_replaces_the_head(self):
        for name in ("mobilenet_v2-imagenet.pth", "mobilenet_v2-imagenet-legacy.pth"):
            if not (SHARED / "weights" / name).exists():
                self.skipTest(f"needs {SHARED}/weights (set EDGEPRUNE_SHARED)")
        imported = []
        for name in ("mobilenet_v2-imagenet.pth", "mobilenet_v2-imagenet-legacy.pth"):
            out = self.folder / (name + ".safetensors")
            code, _, errors = self.run_command("import", SHARED / "weights" / name, out, "--classes", 10)
            self.assertEqual(code, 0, errors)
            self.assertIn("replaced by a new one for 10 classes", errors)
            imported.append(read_safetensors(out)[0])
        self.assertEqual(*imported)
        self.assertEqual(len(imported[0]["classifier.1.weight"]), 12800)

    def test_engines_and_batches_agree(self):
        results = [self.json_of("eval", "--model", self.base, "--data", "synthetic:100", "--threads", 1,
                                "--engine", engine, "--batch", batch)[0]
                   for engine in ("dense", "sparse") for batch in (1, 10, 100)]
        for result in results:
            self.assertEqual(result["images"], 25)
            self.assertEqual(result["accuracy_percent"], results[0]["accuracy_percent"])
            self.assertAlmostEqual(result["loss"], results[0]["loss"], delta=2e-4)

    def test_eval_takes_parts_and_splits(self):
        images = lambda *flags: self.json_of("eval", "--model", self.base, "--data", "synthetic:100",
                                             "--threads", 1, *flags)[0]["images"]
        self.assertEqual(images("--split", "train"), 100)
        self.assertEqual(images("--limit", 10), 10)

    def test_eval_compares_engines(self):
        rows = self.json_of("eval", "--model", self.base, "--data", "synthetic:100", "--threads", 1,
                            "--engine", "onednn,dense,sparse,auto")
        self.assertEqual([row["engine"] for row in rows], ["onednn", "dense", "sparse", "auto"])
        self.assertEqual(rows[0]["logit_difference"], 0)
        for row in rows[1:]:
            self.assertLess(row["logit_difference"], 1e-4)
            self.assertEqual(row["labels_changed"], row["ties"])
        self.assertNotIn("ties", self.json_of("eval", "--model", self.base, "--data", "synthetic:100")[0])

    def test_auto_says_what_it_chose_and_remembers(self):
        arguments = ("latency", "--model", self.base, "--engine", "auto", "--batch", 1, *SHORT, "--explain")
        *layers, whole = self.json_of(*arguments)
        self.assertEqual(len(layers), 54)
        for layer in layers:
            times = list(layer["instead"].values())
            self.assertTrue(layer["us"] is None or layer["us"] > 0, layer)
            self.assertTrue(all(time > 0 for time in times), layer)
        # "dense" and "onednn" are always tried; with a path of its own, auto takes the fastest.
        self.assertEqual(whole["layer"], "whole plan")
        self.assertLessEqual({"dense", "onednn"}, {whole["kernel"], *whole["instead"]})
        for time in whole["instead"].values():
            self.assertLessEqual(0.97 * whole["us"], time)
        self.assertEqual(self.json_of(*arguments), [*layers, whole])
        self.assertIn("auto takes", self.succeed(*arguments))

    def test_times_of_an_older_form_are_taken_anew(self):
        cache = self.folder / "older"
        file = cache / "edgeprune" / "kernels.json"

        def times():
            self.succeed("latency", "--model", self.base, "--engine", "auto", "--batch", 1, *SHORT, XDG_CACHE_HOME=cache)
            ((machine, entries),) = json.loads(file.read_text()).items()
            return machine, {what: seconds for what, seconds in entries.items() if what.startswith("dense: ")}

        machine, first = times()
        self.assertGreater(len(first), 10)
        older = {what: [1e-9, 1e-9] for what in first}
        file.write_text(json.dumps({machine: older}))
        second = times()[1]
        self.assertEqual(set(second), set(first))
        for what, seconds in second.items():
            self.assertGreater(seconds, 2e-9, what)

    def test_magnitude_pruning_holds_through_fine_tuning(self):
        pruned, tuned = self.folder / "pruned.safetensors", self.folder / "tuned.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out", pruned)
        before = zeros(pruned)
        self.assertEqual(sum(map(len, before.values())), PRUNABLE // 2)
        self.succeed("train", "--data", "synthetic:48", "--model", pruned, "--out", tuned,
                     "--epochs", 2, "--batch", 16, "--threads", 2)
        self.assertEqual(zeros(tuned), before)
        self.assertNotEqual(read_safetensors(tuned)[0], read_safetensors(pruned)[0])
        totals = {row["layer"]: row for row in self.json_of("info", "--model", tuned)["layers"]}
        self.assertEqual(totals["all prunable"]["nonzeros"], PRUNABLE // 2)
        steps = [step["step"] for step in json.loads(read_safetensors(tuned)[1]["history"])]
        self.assertEqual(steps, ["random", "train", "prune", "train"])

    def test_stored_sparse_a_pruned_model_is_smaller_and_the_same(self):
        half, small, tuned = (self.folder / f"{name}.safetensors" for name in ("half", "small", "tuned"))
        arguments = ("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out")
        self.succeed(*arguments, half)
        self.succeed(*arguments, small, "--store", "sparse")
        saved = half.stat().st_size - small.stat().st_size
        self.assertAlmostEqual(saved, PRUNABLE * (2 - 1 / 8), delta=0.02 * PRUNABLE)
        self.assertEqual(*(self.json_of("info", "--model", path)["layers"] for path in (half, small)))
        self.succeed("train", "--data", "synthetic:48", "--model", small, "--out", tuned, "--store", "sparse",
                     "--epochs", 1, "--batch", 16, "--threads", 1)
        totals = {row["layer"]: row for row in self.json_of("info", "--model", tuned)["layers"]}
        self.assertEqual(totals["all prunable"]["nonzeros"], PRUNABLE // 2)

    def test_the_reader_in_the_documentation_reads_both_ways_of_storing(self):
        text = (ROOT / "models" / "README.md").read_text()
        found = {}
        exec(text.split("```python\n")[1].split("```")[0], found)
        integers, floats = self.folder / "integers.safetensors", self.folder / "half.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out", floats)
        self.succeed("quantize", "--model", floats, "--data", "synthetic:16", "--calibrate", 8, "--out", integers)
        for dense in (floats, integers):
            sparse = self.folder / "sparse.safetensors"
            command = ("quantize", "--model", floats, "--data", "synthetic:16", "--calibrate", 8) if dense == integers else (
                "prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5)
            self.succeed(*command, "--store", "sparse", "--out", sparse)
            self.assertLess(sparse.stat().st_size, dense.stat().st_size)
            expected, metadata = found["read_checkpoint"](dense)
            tensors, sparse_metadata = found["read_checkpoint"](sparse)
            self.assertEqual(tensors, expected)
            self.assertIn("sparse", sparse_metadata)
            self.assertNotIn("sparse", metadata)
            shape, values = expected["features.0.0.weight"]
            self.assertEqual(math.prod(shape), len(values))
            self.assertGreater(len(set(values)), 100)

    def test_channel_pruning_takes_whole_channels_and_leaves_the_head(self):
        pruned = self.folder / "pruned.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "channel", "--sparsity", 0.3, "--out", pruned)
        found = zeros(pruned)
        self.assertEqual(found["classifier.1.weight"], set())
        stem = found["features.0.0.weight"]  # [32,3,3,3]
        self.assertEqual(len(stem), 10 * 27)
        self.assertEqual(len({position // 27 for position in stem}), 10)
        self.assertEqual(len(found["features.1.conv.0.0.weight"]), 10 * 9)  # depthwise

    def test_a_dry_run_says_the_same_and_writes_nothing(self):
        arguments = ("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.7, "--format", "csv")
        planned = self.succeed(*arguments, "--dry-run", "--out", self.folder / "p.safetensors")
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertEqual(self.succeed(*arguments, "--out", self.folder / "p.safetensors"), planned)

    def test_pruning_is_reproducible(self):
        files = [self.folder / name for name in ("a.safetensors", "b.safetensors")]
        for path in files:
            self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out", path)
        self.assertEqual(files[0].read_bytes(), files[1].read_bytes())

    def test_training_is_reproducible(self):
        files = [self.folder / name for name in ("a.safetensors", "b.safetensors")]
        for path in files:
            self.succeed("train", "--data", "synthetic:128", "--weights", "random", "--out", path, "--epochs", 2,
                         "--batch", 16, "--crop-padding", 2, "--threads", 2)
        self.assertEqual(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in files))

    def test_predictions_of_a_folder_are_the_same_in_csv_and_json(self):
        photos = self.folder / "photos"
        for name, shade in (("a, b.bmp", 20), ("deeper/c.bmp", 200)):
            (photos / name).parent.mkdir(parents=True, exist_ok=True)
            write_bmp(photos / name, 40, 40, lambda x, y: (shade, 5 * x, 5 * y))
        command = ("predict", "--model", self.base, photos)

        def rows_of(*flags):
            return list(csv.DictReader(io.StringIO(self.succeed(*command, *flags, "--format", "csv"))))

        paths = [str(photos / "a, b.bmp"), str(photos / "deeper" / "c.bmp")]
        for row, best in zip(rows_of(), self.json_of(*command), strict=True):
            self.assertEqual(row["image"], best["image"])
            for i, one in enumerate(best["top"], 1):
                self.assertEqual(row[f"top {i}"], one["class"])
                self.assertAlmostEqual(float(row[f"top {i} %"]), one["percent"], delta=0.0501)
        rows, objects = rows_of("--probabilities"), self.json_of(*command, "--probabilities")
        self.assertEqual([row["image"] for row in rows], paths)
        for row, one in zip(rows, objects, strict=True):
            self.assertEqual((row["image"], row["class"]), (one["image"], one["class"]))
            self.assertEqual(list(row)[2:], [each["class"] for each in one["probabilities"]])
            for each in one["probabilities"]:
                self.assertAlmostEqual(float(row[each["class"]]), each["probability"], delta=1e-6)
            self.assertAlmostEqual(sum(each["probability"] for each in one["probabilities"]), 1, places=6)

    def test_predict_ranks_classes_by_their_logits(self):
        images = [self.folder / "red.bmp", self.folder / "stripes.bmp"]
        write_bmp(images[0], 32, 32, lambda x, y: (255, 0, 0))
        write_bmp(images[1], 40, 20, lambda x, y: (255 * (x // 4 % 2),) * 3)
        top = self.json_of("predict", "--model", self.base, *images)
        logits = self.json_of("predict", "--model", self.base, "--logits", *images)
        sparse = self.json_of("predict", "--model", self.base, "--logits", "--engine", "sparse", *images)
        for best, raw, other in zip(top, logits, sparse):
            self.assertEqual(best["image"], raw["image"])
            raw, other = ({entry["class"]: entry["logit"] for entry in row["logits"]} for row in (raw, other))
            self.assertEqual(len(raw), 10)
            ranked = sorted(raw, key=raw.get, reverse=True)
            self.assertEqual([entry["class"] for entry in best["top"]], ranked[:5])
            share = 100 * math.exp(raw[ranked[0]]) / sum(map(math.exp, raw.values()))
            self.assertAlmostEqual(best["top"][0]["percent"], share, delta=0.06)
            for name, value in raw.items():
                self.assertAlmostEqual(other[name], value, delta=1e-4)

    def test_info_counts_the_original_studys_network(self):
        rows = {row["layer"]: row for row in self.json_of("info", "--model", self.base)["layers"]}
        self.assertEqual(rows["all parameters"]["parameters"], 2236682)
        self.assertEqual(rows["all prunable"]["parameters"], PRUNABLE)
        self.assertEqual(rows["classifier.1"]["multiply_adds"], 12800)
        self.assertEqual(rows["features.0.0"]["weight"], [32, 3, 3, 3])
        self.assertEqual(rows["features.0.0"]["output"], [32, 32, 32])
        info = self.json_of("info", "--model", self.base)
        self.assertEqual((info["input_size"], info["width"], len(info["classes"])), (64, 1, 10))
        self.assertEqual([step["step"] for step in info["history"]], ["random", "train"])
        self.assertEqual(info["sha256"], hashlib.sha256(self.base.read_bytes()).hexdigest())
        self.assertEqual(info["bytes"], self.base.stat().st_size)
        text = self.succeed("info", "--model", self.base)
        self.assertIn("width 1, 64x64 input, 10 classes", text)
        self.assertIn('"step":"random"', text)

    def test_latency_has_a_line_for_every_combination(self):
        rows = self.json_of("latency", "--model", self.base, "--engine", "dense,sparse", "--batch", "1,2",
                            "--threads", "1,2", *SHORT)
        self.assertEqual(len({(r["engine"], r["batch"], r["threads"]) for r in rows}), 8)
        for row in rows:
            self.assertGreaterEqual(row["samples"], 3)
            self.assertTrue(0 < row["min_ms"] <= row["median_ms"] <= row["p90_ms"] <= row["p99_ms"] <= row["max_ms"], row)
            self.assertEqual(row["scenario"], "single-stream" if row["batch"] == 1 else "offline")
            self.assertGreater(row["arena_bytes"], 0)
            self.assertEqual(row["pin"], "none")
            for key in ("cpu", "governor", "simd", "build", "commit"):
                self.assertTrue(row[key], key)
            first = next(r for r in rows if (r["batch"], r["threads"]) == (row["batch"], row["threads"]))
            self.assertTrue(0 < row["speedup_low"] <= row["speedup"] <= row["speedup_high"], row)
            self.assertGreaterEqual(row["rounds"], 3)
            self.assertGreaterEqual(row["involuntary_switches"], 0)
            if row is first:
                self.assertEqual((row["speedup_low"], row["speedup_high"]), (1, 1))

    def test_latency_of_several_models_says_where_it_was_taken(self):
        copy = self.folder / "copy.safetensors"
        copy.write_bytes(self.base.read_bytes())
        lines = self.succeed("latency", "--model", self.base, "--model", copy, "--engine", "dense", "--batch", 1,
                             *SHORT).splitlines()
        self.assertRegex(lines[0], r"cores?, .*; governor .*; commit .*; threads pinned to cores: none")
        self.assertEqual([line.split()[1] for line in lines[4:]], [str(self.base).split()[0], str(copy).split()[0]])

    def test_latency_writes_all_samples_on_request(self):
        samples = self.folder / "samples.jsonl"
        rows = self.json_of("latency", "--model", self.base, "--batch", "1,2", *SHORT, "--samples", samples)
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        for row, line in zip(rows, lines, strict=True):
            taken = line.pop("samples_ms")
            self.assertEqual(line, row)
            self.assertEqual(len(taken), row["samples"])
            self.assertEqual([min(taken), max(taken)], [row["min_ms"], row["max_ms"]])

    def test_pinned_threads_stay_on_cores_of_their_own(self):
        cores = sorted(os.sched_getaffinity(0))
        rows = self.json_of("latency", "--model", self.base, "--engine", "dense", "--batch", 2,
                            "--threads", f"1,{len(cores)}", "--pin", *SHORT)
        self.assertIn(str(cores[0]), re.split(r"[,+]", rows[0]["pin"]))
        self.assertEqual(len(rows[-1]["pin"].split(",")), len(cores))
        self.assertEqual(rows[-1]["cores"], len(cores))
        self.assertTrue(set(map(int, re.split(r"[,+]", rows[-1]["pin"]))) <= set(cores), rows[-1])
        one_core = self.json_of("latency", "--model", self.base, "--engine", "dense", "--batch", 2, "--pin", *SHORT,
                                preexec_fn=lambda: os.sched_setaffinity(0, cores[-1:]))
        self.assertEqual(one_core[0]["pin"], str(cores[-1]))
        self.assertEqual(one_core[0]["cores"], 1)

    def test_pinning_leaves_a_binding_of_the_users_own_alone(self):
        cores = sorted(os.sched_getaffinity(0))
        rows = self.json_of("latency", "--model", self.base, "--engine", "dense", "--batch", 2, "--pin", *SHORT,
                            OMP_PROC_BIND="close", OMP_PLACES="{%d}" % cores[-1])
        self.assertEqual(rows[0]["pin"], str(cores[-1]))

    def test_threads_bound_by_the_environment_do_not_share_the_first_ones_core(self):
        cores = sorted(os.sched_getaffinity(0))
        rows = self.json_of("latency", "--model", self.base, "--engine", "dense", "--batch", 2,
                            "--threads", len(cores), *SHORT, OMP_PROC_BIND="true")
        self.assertEqual(rows[0]["cores"], len(cores))
        self.assertEqual(sorted(map(int, re.split(r"[,+]", rows[0]["pin"]))), cores)

    def test_latency_per_layer(self):
        arguments = ("latency", "--model", self.base, "--engine", "dense,sparse", "--batch", 2, *SHORT, "--per-layer")
        rows = self.json_of(*arguments)
        layers = {row["layer"] for row in self.json_of("info", "--model", self.base)["layers"]} - {"all prunable", "all parameters"}
        for engine in ("dense", "sparse"):
            mine = {row["layer"]: row for row in rows if row["engine"] == engine}
            self.assertTrue(layers | {"pool", "all layers"} <= set(mine), layers - set(mine))
            total = sum(row["median_ms"] for layer, row in mine.items() if layer != "all layers")
            self.assertAlmostEqual(mine["all layers"]["median_ms"], total, places=6)
            for layer in layers:
                self.assertTrue(mine[layer]["kernel"] and mine[layer]["gflops"] > 0 and mine[layer]["limit"], layer)
        text = self.succeed(*arguments)
        self.assertEqual(text.count("furthest from their limit:\n- "), 2)
        self.assertIn("| whole run", text)

    def test_breakeven_prints_draws_and_keeps_its_data(self):
        out = self.folder / "new" / "out"
        code, text, errors = self.run_command("breakeven", "--model", self.base, "--levels", "90%,0,0.5", "--batch", 2,
                                              "--threads", "1,2", *SHORT, "--out", out)
        self.assertEqual(code, 0, errors)
        self.assertEqual(re.findall(r"^\| +(\d+\.0) \|", text, re.M), ["0.0", "50.0", "90.0"] * 2)
        self.assertEqual(len(re.findall(r"^\| network .*(%|always|never)", text, re.M)), 2)
        rows = [json.loads(line) for line in (out / "breakeven.jsonl").read_text().splitlines()]
        self.assertEqual({(r["threads"], r["level_percent"], r["engine"]) for r in rows},
                         {(t, l, e) for t in (1, 2) for l in (0, 50, 90) for e in ("dense", "sparse", "auto")})
        self.assertEqual(sum(r["layer"] == "network" for r in rows), 18)
        for row in rows:
            self.assertTrue(row["median_ms"] > 0 and row["commit"], row)
            self.assertEqual(row["breakeven"] is None, row["engine"] == "dense")
        pictures = {f"{name}_batch2_threads{t}.{kind}" for name in ("heat_map", "latency") for t in (1, 2)
                    for kind in ("svg", "png")}
        self.assertEqual({path.name for path in out.iterdir()} - pictures, {"breakeven.jsonl"})
        if shutil.which("gnuplot"):
            self.assertEqual({path.name for path in out.iterdir()}, pictures | {"breakeven.jsonl"})

    def test_breakeven_without_gnuplot_says_so_and_goes_on(self):
        code, output, errors = self.run_command("breakeven", "--model", self.base, "--levels", "0,0.9", "--batch", 1,
                                                "--threads", 1, *SHORT, "--out", self.folder / "out", "--format", "csv",
                                                PATH=str(self.folder))
        self.assertEqual(code, 0, errors)
        self.assertIn("no plots: gnuplot is not installed", errors)
        self.assertEqual(len(list(csv.reader(io.StringIO(output)))), 1 + 2 * 3 * 36)

    def test_breakeven_starts_from_a_pruned_model_too(self):
        pruned = self.folder / "pruned.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out", pruned)
        rows = self.json_of("breakeven", "--model", pruned, "--levels", "0.5,80%", "--batch", 1, "--threads", 1, *SHORT,
                            "--out", self.folder / "out")
        self.assertEqual({row["level_percent"] for row in rows}, {50, 80})

    def test_formats_hold_the_same_table(self):
        arguments = ("prune", "--model", self.base, "--method", "channel", "--sparsity", 0.5, "--dry-run")
        rows = json.loads(self.succeed(*arguments, "--format", "json"))
        table = list(csv.reader(io.StringIO(self.succeed(*arguments, "--format", "csv"))))
        lines = self.succeed(*arguments, "--format", "md").splitlines()
        self.assertEqual({len(row) for row in table}, {len(rows[0])})
        self.assertEqual(len(table), len(rows) + 1)
        self.assertEqual(len(lines), len(rows) + 2)
        column = table[0].index("layer")
        self.assertEqual([row[column] for row in table[1:]], [row["layer"] for row in rows])
        self.assertEqual(len({line.count("|") for line in lines}), 1)

    def test_an_image_folder_is_trained_and_tested_on(self):
        write_image_folder(self.folder / "data", ["cat", "dog", "frog"], images=4)
        out = self.folder / "m.safetensors"
        rows = self.json_of("train", "--data", self.folder / "data", "--weights", "random", "--out", out,
                            "--epochs", 2, "--batch", 4, "--val-split", 3, "--test-each-epoch", "--threads", 1,
                            "--optimizer", "sgd", "--lr-schedule", "cosine", "--crop-padding", 1, "--no-flip")
        self.assertEqual([row["epoch"] for row in rows], [1, 2])
        for row in rows:
            self.assertTrue(0 <= row["validation_accuracy_percent"] <= 100)
            self.assertTrue(0 <= row["test_accuracy_percent"] <= 100)
        _, metadata = read_safetensors(out)
        self.assertEqual(json.loads(metadata["classes"]), ["cat", "dog", "frog"])
        self.assertEqual(self.json_of("eval", "--model", out, "--data", self.folder / "data")[0]["images"], 12)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir() if path.is_file()),
                         ["m.safetensors", "m.safetensors.epochs.csv"])


if __name__ == "__main__":
    unittest.main()
