"""quantize, and what runs its models."""

import json
import signal
import unittest

from support import CommandTest, read_safetensors, write_bmp


class Quantize(CommandTest):
    def quantize(self, *flags, model=None, name="int8.safetensors"):
        out = self.folder / name
        rows = self.json_of("quantize", "--model", model or self.base, "--data", "synthetic:64", "--calibrate", 32,
                            "--test", 0, "--out", out, *flags)
        return out, rows

    def test_a_model_of_a_quarter_of_the_size_that_eval_predict_and_latency_run(self):
        model, rows = self.quantize()
        self.assertEqual(len(rows), 53)
        self.assertTrue(all(row["weights_db"] > 30 for row in rows))
        self.assertLess(model.stat().st_size, 0.3 * self.base.stat().st_size)
        self.assertEqual(json.loads(read_safetensors(model)[1]["history"])[-1]["step"], "quantize")
        info = self.json_of("info", "--model", model)
        self.assertTrue(info["quantized"])
        self.assertEqual(sorted(info["engines"]), ["auto", "int8", "int8-sparse"])
        self.assertEqual(info["layers"][0]["numbers"], "int8")
        self.assertIn("quantised: 53 layers in 8-bit integers; engines", self.succeed("info", "--model", model))
        self.assertFalse(self.json_of("info", "--model", self.base)["quantized"])
        engine = self.json_of("eval", "--model", model, "--data", "synthetic:20")[0]["engine"]
        self.assertEqual(engine, "int8")
        rows = self.json_of("latency", "--model", self.base, "--model", model, "--engine", "dense,int8", "--batch", 1,
                            "--threads", 1, "--seconds", 0.01, "--min-samples", 3)
        self.assertEqual([row["engine"] for row in rows], ["dense", "int8"])
        image = self.folder / "image.bmp"
        write_bmp(image, 40, 30, lambda x, y: (6 * x, 8 * y, 100))
        self.succeed("predict", "--model", model, image)
        self.succeed("predict", "--model", model, "--engine", "auto", image)

    def test_saturations_are_counted_by_layer(self):
        model, _ = self.quantize()
        rows = self.json_of("eval", "--model", model, "--data", "synthetic:20", "--saturations")
        self.assertEqual(len(rows), 55, "53 with weights, the pool, all of them")
        self.assertEqual((rows[-1]["layer"], rows[-1]["beyond_32_bits"], rows[-1]["wrong_outputs"]), ("all layers", 0, 0))
        self.assertEqual(rows[0]["outputs"], rows[0]["sums"])
        self.assertEqual(rows[0]["outputs"] % 20, 0)
        self.fail("eval", "--model", self.base, "--data", "synthetic:20", "--saturations",
                  says="expected a quantised model, on int8 or int8-sparse")
        self.fail("eval", "--model", model, "--data", "synthetic:20", "--saturations", "--per-class", code=2,
                  says="--per-class")
        for engines in ("dense", "auto", "int8,int8-sparse"):
            self.fail("eval", "--model", self.folder / "none", "--data", "synthetic:20", "--saturations", "--engine", engines, code=2,
                      says=f"--saturations is about one engine, int8 or int8-sparse, got {engines}")

    def test_engines_that_cannot_run_a_model_are_refused_before_the_first_runs(self):
        model, _ = self.quantize()
        for engines in ("dense", "int8,auto,dense"):
            self.fail("eval", "--model", model, "--data", self.folder / "never-looked-at", "--engine", engines,
                      says="int8, int8-sparse and auto run it, dense does not")

    def test_break_even_of_integers(self):
        rows = self.json_of("breakeven", "--model", self.base, "--engine", "int8,int8-sparse", "--levels", "0,0.9",
                            "--batch", 1, "--threads", 1, "--seconds", 0.01, "--min-samples", 3, "--out", self.folder / "curves")
        self.assertEqual({row["engine"] for row in rows}, {"int8", "int8-sparse"})
        kernels = {row["engine"]: row["kernel"] for row in rows if row["layer"] == "features.1.conv.1"}
        self.assertNotIn("sparse", kernels["int8"])
        self.assertIn("int8 sparse", kernels["int8-sparse"])
        self.fail("breakeven", "--model", self.base, "--engine", "dense,int8-sparse", "--out", self.folder / "curves",
                  code=2, says="expected dense,sparse or int8,int8-sparse, and auto behind them or not")

    def test_every_instruction_set_and_any_threads_give_the_same_bits(self):
        model, _ = self.quantize()
        image = self.folder / "image.bmp"
        write_bmp(image, 40, 30, lambda x, y: (6 * x, 8 * y, 100))
        answers = set()
        for variables in ({}, {"EDGEPRUNE_VNNI": "0"}, {"EDGEPRUNE_SIMD": "portable"}):
            for threads in (1, 2):
                answers.add(self.succeed("predict", "--model", model, "--logits", "--format", "json", "--threads",
                                         threads, image, **variables))
        self.assertEqual(len(answers), 1)
        self.fail("predict", "--model", model, image, code=2, says="expected 0", EDGEPRUNE_VNNI="nonsense")
        self.assertIn("EDGEPRUNE_VNNI", self.succeed("--help"))

    def test_stored_sparse_zeros_take_a_bit(self):
        half = self.folder / "half.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.8, "--out", half)
        dense, _ = self.quantize(model=half, name="dense.safetensors")
        sparse, _ = self.quantize("--store", "sparse", model=half, name="sparse.safetensors")
        self.assertLess(sparse.stat().st_size, 0.5 * dense.stat().st_size)
        image = self.folder / "image.bmp"
        write_bmp(image, 40, 30, lambda x, y: (6 * x, 8 * y, 100))
        logits = {self.succeed("predict", "--model", model, "--engine", engine, "--logits", "--format", "json", image)
                  for model in (dense, sparse) for engine in ("int8", "int8-sparse")}
        self.assertEqual(len(logits), 1)

    def test_what_does_not_fit_is_refused_in_one_line(self):
        model, _ = self.quantize()
        again = self.folder / "again.safetensors"
        for command in (["quantize", "--data", "synthetic:64", "--out", again],
                        ["train", "--data", "synthetic:64", "--out", again],
                        ["prune", "--method", "magnitude", "--sparsity", 0.5, "--out", again],
                        ["compact", "--out", again],
                        ["breakeven", "--out", self.folder / "curves"]):
            self.fail(command[0], "--model", model, *command[1:], says="it is quantised: expected the model in floats")
        self.fail("train", "--weights", model, "--data", "synthetic:64", "--out", again, says="it is quantised")
        self.fail("eval", "--model", model, "--data", "synthetic:20", "--engine", "dense",
                  says="the engines int8, int8-sparse and auto run it")
        self.fail("eval", "--model", self.base, "--data", "synthetic:20", "--engine", "int8",
                  says="the engine int8 runs quantised ones")
        self.fail("latency", "--model", model, "--engine", "dense,sparse", says="int8, int8-sparse or auto")

    def test_layers_that_are_kept_stay_floats(self):
        model, _ = self.quantize()
        mixed, rows = self.quantize("--keep", "features.0.0,features.18", name="mixed.safetensors")
        self.assertEqual(len(rows), 51)
        floats, metadata = read_safetensors(mixed)
        kept = ["features.0.0", "features.18.0"]
        self.assertEqual(sorted(name for name in floats if name.endswith(".weight")), [f"{name}.weight" for name in kept])
        self.assertEqual(json.loads(metadata["history"])[-1]["in_floats"], kept)
        self.assertGreater(mixed.stat().st_size, model.stat().st_size)
        for engine in ("int8", "auto"):
            self.succeed("eval", "--model", mixed, "--data", "synthetic:20", "--engine", engine)
        self.fail("quantize", "--model", self.base, "--data", "synthetic:64", "--out", self.folder / "no.safetensors",
                  "--keep", "features.19", code=2, says="expected names of layers with weights")

    def test_other_networks_are_integers_too(self):
        for network, layers in (("mobilenet_v3_small", 54), ("efficientnet_lite0", 50)):
            model = self.folder / f"{network}.safetensors"
            self.succeed("train", "--network", network, "--width", 0.25, "--input-size", 32, "--data",
                         "synthetic:16", "--weights", "random", "--epochs", 0, "--out", model)
            integers, rows = self.quantize(model=model)
            self.assertEqual(len(rows), layers)
            self.assertEqual(json.loads(read_safetensors(integers)[1]["history"])[-1]["in_floats"], [])
            self.succeed("eval", "--model", integers, "--data", "synthetic:20")
            self.succeed("train", "--model", model, "--qat", "--data", "synthetic:20", "--batch", 10, "--epochs", 1,
                         "--calibrate", 20, "--out", self.folder / "qat.safetensors")
            self.succeed("eval", "--model", self.folder / "qat.safetensors", "--data", "synthetic:20")

class QuantizedTraining(CommandTest):
    def arguments(self, name, *more, model=None):
        return ("train", "--model", model or self.base, "--qat", "--data", "synthetic:120", "--batch", 20, "--epochs", 2,
                "--calibrate", 40, "--threads", 1, "--format", "csv", "--out", self.folder / name, *more)

    def test_a_quantised_model_that_eval_runs_with_its_zeros(self):
        half = self.folder / "half.safetensors"
        self.succeed("prune", "--model", self.base, "--method", "magnitude", "--sparsity", 0.5, "--out", half)
        self.succeed(*self.arguments("qat", "--test-each-epoch", model=half))
        out = self.folder / "qat"
        self.assertLess(out.stat().st_size, 0.3 * half.stat().st_size)
        step = json.loads(read_safetensors(out)[1]["history"])[-1]
        self.assertEqual((step["step"], step["epochs"], step["schedule"]), ("train", 2, "cosine"))
        self.assertEqual(step["qat"], {"images": 40, "observer": "mse"})
        tested = (self.folder / "qat.epochs.csv").read_text().splitlines()[-1].split(",")[4]
        row = self.json_of("eval", "--model", out, "--data", "synthetic:120")[0]
        self.assertEqual(row["engine"], "int8")
        self.assertAlmostEqual(row["accuracy_percent"], float(tested), 2)
        nonzero = [sum(layer["nonzeros"] for layer in self.json_of("info", "--model", model)["layers"] if layer["kind"])
                   for model in (half, out)]
        self.assertLessEqual(nonzero[1], nonzero[0])

    def test_stopped_it_goes_on_and_ends_with_the_same_file(self):
        self.succeed(*self.arguments("undisturbed"))
        process = self.start(*self.arguments("out"))
        for line in process.stderr:
            if line.startswith("epoch 1/2: "):
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.fail(*self.arguments("out", "--resume", "--observer", "minmax"), says="is the state of another run: ")
        self.succeed(*self.arguments("out", "--resume"))
        self.assertEqual((self.folder / "out").read_bytes(), (self.folder / "undisturbed").read_bytes())

    def test_what_does_not_go_with_it_is_refused_in_one_line(self):
        for flags, says in ((["--qat", "--weights", "random"], "--qat is for --model"),
                            (["--qat", "--model", self.base, "--bn-recalibrate", 100], "--bn-recalibrate"),
                            (["--model", self.base, "--calibrate", 9], "--qat"),
                            (["--model", self.base, "--observer", "mse"], "--qat")):
            self.fail("train", "--data", "synthetic:40", "--out", self.folder / "out", *flags, says=says, code=2)
        before = self.base.read_bytes()
        for command in (("train", "--qat"), ("quantize",)):
            self.fail(*command, "--model", self.base, "--data", "synthetic:40", "--out", self.base,
                      says="is the model itself, which would be lost", code=2)
        self.assertEqual(self.base.read_bytes(), before)
        code, _, errors = self.run_command(*self.arguments("out", "--lr", 1e10))
        self.assertEqual(code, 1)
        self.assertRegex(errors.splitlines()[-1], "^edgeprune: .*can overflow")
        self.assertFalse((self.folder / "out").exists())
        self.succeed(*self.arguments("qat"))
        self.fail(*self.arguments("again", model=self.folder / "qat"), says="it is quantised")
        flat = self.folder / "flat"
        for name in ("a", "b"):
            (flat / "train" / name).mkdir(parents=True)
            for grey in (10, 200):
                write_bmp(flat / "train" / name / f"{grey}.bmp", 8, 8, lambda x, y: (grey, grey, grey))
        two = self.folder / "two.safetensors"
        self.succeed("train", "--data", flat, "--weights", "random", "--width", 0.25, "--input-size", 32, "--epochs", 0,
                     "--out", two)
        self.fail("train", "--model", two, "--qat", "--data", flat, "--batch", 4, "--out", self.folder / "out",
                  says="expected images that show something, got 4 of one colour each")


if __name__ == "__main__":
    unittest.main()
