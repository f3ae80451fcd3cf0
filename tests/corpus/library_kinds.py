"""Networks under the names of timm and of Hugging Face's transformers, where those are installed: library_kinds.add(corpus)."""

from corpus import CENTRED, CLASSES, IMAGENET, filled, logits, saver, write_safetensors

TENSORFLOW = ("--trained-in", "tensorflow")


def add_timm(corpus, timm):
    for name, options in (("mobilenetv2_035", ()), ("mobilenetv2_100", ()), ("mobilenetv1_100", ()), ("mobilenetv3_small_050", ()),
                          ("mobilenetv3_large_100", ()), ("efficientnet_lite0", ()), ("resnet18", ()), ("tf_efficientnet_lite0", TENSORFLOW),
                          ("tf_mobilenetv3_small_075", TENSORFLOW), ("tf_mobilenetv3_large_100", TENSORFLOW)):
        model = filled(timm.create_model(name, num_classes=CLASSES))
        corpus.loads(f"timm {name}", lambda path: write_safetensors(path, model.state_dict()),
                     logits(model, CENTRED if options else IMAGENET), options, suffix=".safetensors")
    model = timm.create_model("mobilenetv2_035", num_classes=CLASSES)
    corpus.loads("timm's averaged module", saver(lambda: {"state_dict": model.state_dict(), "state_dict_ema": filled(model).state_dict()}),
                 logits(filled(model)), says="averaged weights")
    corpus.refuses("timm mobilenetv2_110d, deeper", saver(timm.create_model("mobilenetv2_110d", num_classes=CLASSES).state_dict), "surplus blocks.")
    corpus.refuses("timm resnet18d, another stem", saver(timm.create_model("resnet18d", num_classes=CLASSES).state_dict), "missing conv1.weight")


def add_transformers(corpus, transformers):
    def add(kind, model, normalisation, options=()):
        corpus.loads(f"transformers {kind}", lambda path: write_safetensors(path, filled(model).state_dict()),
                     logits(filled(model), normalisation), options, suffix=".safetensors")
    second, first = transformers.MobileNetV2Config, transformers.MobileNetV1Config
    classifier = transformers.MobileNetV2ForImageClassification
    for width in (0.35, 1.0):
        add(f"mobilenet_v2 {width}", classifier(second(num_labels=CLASSES, depth_multiplier=width)), CENTRED)
    add("mobilenet_v2 without tf_padding", classifier(second(num_labels=CLASSES, depth_multiplier=0.35, tf_padding=False)), IMAGENET,
        ("--trained-in", "pytorch"))
    add("mobilenet_v1", transformers.MobileNetV1ForImageClassification(first(num_labels=CLASSES, depth_multiplier=0.25)), CENTRED)
    resnet = {"num_labels": CLASSES, "embedding_size": 16}
    add("resnet18", transformers.ResNetForImageClassification(transformers.ResNetConfig(
        layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[16, 32, 64, 128], **resnet)), IMAGENET)
    add("resnet50", transformers.ResNetForImageClassification(transformers.ResNetConfig(
        layer_type="bottleneck", depths=[3, 4, 6, 3], hidden_sizes=[64, 128, 256, 512], **resnet)), IMAGENET)


def add(corpus):
    for library, add_its in (("timm", add_timm), ("transformers", add_transformers)):
        try:
            module = __import__(library)
        except ImportError:
            corpus.skipped.append((f"{library}'s networks", f"no {library} in this Python"))
            continue
        add_its(corpus, module)
