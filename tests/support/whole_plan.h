#pragma once
// A plan of a study in which all keys stand but for label_smoothing and class_weights, which do not go
// with distillation.

namespace edgeprune::testing {

inline constexpr const char* kWholePlan = R"({
    "name": "all", "description": "of it", "network": "mobilenet_v2", "baseline": {"epochs": 4},
    "training": {"batch": 32, "learning_rate": 0.01, "optimizer": "sgd", "schedule": "cosine",
                 "weight_decay": 0.001, "flip": false, "crop_padding": 4, "warm_up": 2,
                 "colour": 1, "rotation": 180,
                 "patience": 3, "mean": [0.5, 0.5, 0.25], "std": [1, 2, 1]},
    "data": {"train_images": 300, "finetune_images": 200, "test_images": 100,
             "validation_images": 50},
    "latency": {"engines": ["onednn", "auto"], "batches": [2, 8], "seconds": 0.5,
                "min_samples": 7, "warmup_seconds": 0.25},
    "quantization": {"calibration_images": 64, "observer": "percentile", "equalize": true,
                     "bias_correction": false, "qat_epochs": 3, "qat_learning_rate": 0.01},
    "experiments": [
      {"method": "channel", "mode": "compact", "schedule": "compounding", "targets": [0.4, 0.2],
       "epochs": 3, "step": 0.2, "keep": ["features.0.0", "features.17.conv.2"],
       "min_density": 0.1, "round_to": 8, "min_channels": 4, "label": "small",
       "recovery": {"bn_recalibrate": 50, "rewind": true, "distill": {"temperature": 2, "alpha": 1}}},
      {"method": "lamp", "schedule": "cubic", "targets": [0.9], "epochs": 0, "cubic_steps": 3, "quantize": ["ptq", "qat"]},
      {"method": "taylor", "schedule": "one-shot", "targets": [0.5], "epochs": 1, "score_images": 64}]})";

}  // namespace edgeprune::testing
