"""Data as people have them: other layouts, damaged and foreign files, few images, rare classes, large photographs."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import BINARY, CommandTest, read_safetensors, write_bmp, write_image_folder


def peak_bytes(*arguments):
    """Of memory, that the command takes."""
    process = subprocess.Popen([BINARY, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return 1024 * usage.ru_maxrss


def named(text):
    """The bytes of a name that JSON has with \\xE9 in it."""
    return re.sub(rb"\\x([0-9A-F]{2})", lambda byte: bytes.fromhex(byte[1].decode()), text.encode())


class Data(CommandTest):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"
        write_image_folder(self.data, ["cat", "dog"], images=6)
        self.out = self.folder / "out.safetensors"

    def train(self, *more, data=None):
        """(what stdout, what stderr says)"""
        code, output, errors = self.run_command("train", "--data", data or self.data, "--weights", "random", "--out",
                                                self.out, "--epochs", 1, "--format", "json", *more)
        self.assertEqual(code, 0, errors)
        return json.loads(output), errors

    def test_twelve_images_train_with_the_default_batch(self):
        epochs, errors = self.train()
        self.assertIn("batches of 12 images, which are all (--batch 128)", errors)
        self.assertTrue(0 < epochs[0]["training_loss"] < 10, epochs)

    def test_the_last_smaller_batch_trains_unless_it_is_one_image(self):
        self.assertNotIn("left out", self.train("--batch", 5)[1])
        self.assertIn("one of the 12 images, another one each epoch, is left out", self.train("--batch", 11)[1])

    def test_bad_images_are_named_together_or_passed_over(self):
        for name in ("0", "3"):
            (self.data / "train" / "cat" / f"{name}.bmp").write_bytes(b"BM")
        self.fail("train", "--data", self.data, "--weights", "random", "--out", self.out,
                  says="2 of 12 images cannot be read")
        _, errors = self.train("--skip-bad-images")
        self.assertRegex(errors, r"warning: left out: 2 of 12 images cannot be read: .*cat/0.bmp: .*; .*cat/3.bmp: ")
        self.assertIn("batches of 10 images", errors)

    def test_what_is_passed_over_is_counted(self):
        cat = self.data / "train" / "cat"
        (cat / "0.bmp").rename(cat / "0.gif")
        (cat / "more").mkdir()
        (cat / "1.bmp").rename(cat / "more" / "1.bmp")
        (cat / "2.bmp").unlink()
        (cat / "2.bmp").symlink_to("nowhere")
        self.assertIn("passed over 1 file ending in .gif, 1 folder inside of class folders, with 1 image, "
                      "1 broken link\n", self.train()[1])

    def test_val_serves_as_test(self):
        (self.data / "test").rename(self.data / "val")
        self.train()
        code, output, errors = self.run_command("eval", "--model", self.out, "--data", self.data, "--format", "json")
        self.assertEqual(code, 0, errors)
        self.assertIn("there is no test/, val/ serves as that", errors)
        self.assertEqual(json.loads(output)[0]["images"], 12)

    def test_a_rare_class_is_split_in_proportion_and_never_emptied(self):
        for i in range(6, 100):
            shutil.copyfile(self.data / "train" / "cat" / "0.bmp", self.data / "train" / "cat" / f"{i}.bmp")
        for arguments in (("--val-split", 30), ("--limit", 50, "--val-split", 10)):
            _, errors = self.train(*arguments)
            self.assertNotIn("none of", errors)
        self.fail("train", "--data", self.data, "--weights", "random", "--out", self.out, "--val-split", 105,
                  says="--val-split 105: of 106 images in 2 classes at most 104 can be held out")
        self.fail("train", "--data", self.data, "--weights", "random", "--out", self.out, "--limit", 1,
                  says="--limit 1 leaves no image to train on of 'dog'")
        (self.data / "train" / "dog" / "5.bmp").rename(self.data / "train" / "dog" / "only")
        for i in range(5):
            (self.data / "train" / "dog" / f"{i}.bmp").unlink()
        (self.data / "train" / "dog" / "only").rename(self.data / "train" / "dog" / "only.bmp")
        self.assertIn("among the 30 images held out is none of 'dog'", self.train("--val-split", 30)[1])

    def test_the_usual_validation_split_adapts(self):
        self.train()
        errors = self.run_command("prune", "--model", self.out, "--data", self.data, "--method", "magnitude", "--sparsity",
                                  0.5, "--min-accuracy", 0.01, "--out", self.folder / "pruned.safetensors")
        self.assertEqual(errors[0], 0, errors[2])
        self.assertIn("2 of 12 training images are held out (--val-split)", errors[2])

    def test_names_that_are_not_utf8(self):
        data = os.fsencode(self.data)
        for split in (b"train", b"test"):
            folder = os.path.join(data, split, b"caf\xe9")
            os.rename(os.path.join(data, split, b"cat"), folder)
            os.rename(os.path.join(folder, b"0.bmp"), os.path.join(folder, b"\xff.bmp"))
        self.train("--val-split", 2, "--test-each-epoch")
        _, metadata = read_safetensors(self.out)
        self.assertEqual(json.loads(metadata["classes"]), ["caf\\xE9", "dog"])
        self.assertEqual(self.json_of("eval", "--model", self.out, "--data", self.data)[0]["images"], 12)
        image = os.path.join(data, b"test", b"caf\xe9", b"back\\slash\xff.bmp")
        os.rename(os.path.join(data, b"test", b"caf\xe9", b"\xff.bmp"), image)
        model = os.path.join(os.fsencode(self.folder), b"mod\xe9l.safetensors")
        os.rename(self.out, model)
        model_argument = os.fsdecode(model)
        row = self.json_of("predict", "--model", model_argument, os.fsdecode(image))[0]
        self.assertIn(row["top"][0]["class"], ["caf\\xE9", "dog"])
        self.assertEqual(named(row["image"]), image)
        self.assertEqual(named(self.json_of("info", "--model", model_argument)["model"]), model)
        samples = self.folder / "samples.jsonl"
        self.succeed("latency", "--model", model_argument, "--engine", "dense", "--batch", 1, "--seconds", 0, "--warmup", 0,
                     "--min-samples", 1, "--samples", samples, "--format", "json")
        self.assertEqual(named(json.loads(samples.read_text())["model"]), model)

    def test_resize_is_kept_and_honoured(self):
        """A white stripe at the left of a wide image: cropped away, or not."""
        stripe = self.folder / "stripe.bmp"
        write_bmp(stripe, 200, 70, lambda x, y: (255, 255, 255) if x < 30 else (90, 90, 90))
        grey = self.folder / "grey.bmp"
        write_bmp(grey, 200, 70, lambda x, y: (90, 90, 90))
        logits = {}
        for how in ("squash", "pad", "crop"):
            self.train("--resize", how)
            self.assertEqual(json.loads(read_safetensors(self.out)[1]["resize"]), how)
            rows = [self.json_of("predict", "--model", self.out, "--logits", image)[0] for image in (stripe, grey)]
            logits[how] = [{entry["class"]: entry["logit"] for entry in row["logits"]}["cat"] for row in rows]
        self.assertNotEqual(*logits["squash"])
        self.assertNotEqual(*logits["pad"])
        self.assertEqual(*logits["crop"])
        self.succeed("train", "--model", self.out, "--data", self.data, "--out", self.out, "--epochs", 0)
        self.assertEqual(json.loads(read_safetensors(self.out)[1]["resize"]), "crop")

    def test_large_photographs_take_the_memory_of_small_ones(self):
        self.train()
        small = peak_bytes("eval", "--model", self.out, "--data", self.data)
        first = self.data / "test" / "cat" / "0.bmp"
        write_bmp(first, 3000, 1, lambda x, y: (x % 256, 7, 200))
        header, row = first.read_bytes()[:54], first.read_bytes()[54:]
        first.write_bytes(header[:22] + (2000).to_bytes(4, "little") + header[26:] + 2000 * row)
        for image in (self.data / "test").rglob("*.bmp"):
            if image != first:
                image.unlink()
                os.link(first, image)
        # 12 images of 18 MB; two at a time are in memory, as they are in the file and decoded.
        self.assertLess(peak_bytes("eval", "--model", self.out, "--data", self.data) - small, 100e6)


if __name__ == "__main__":
    unittest.main()
