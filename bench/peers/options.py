"""Command-line options that the scripts share."""

LAYOUTS = ("channels_last", "default")


def positive(text):
    if (number := int(text)) < 1:
        raise ValueError
    return number


def add_training(parser):
    """What is trained on what."""
    parser.add_argument("--data", required=True, help="folder of images by class, or CIFAR-10 binary folder")
    parser.add_argument("--weights", required=True, help="torchvision's .pth")
    parser.add_argument("--seed", type=int, default=0, help="of choice, order and flips of the images (default: 0)")
    parser.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0], help="PyTorch's (default: channels_last)")
