"""What the networks of all search spaces have in common."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """A body that turns images into features, the mean of these over the image, and a linear layer.

    The input are normalised images, float32 of shape (n, 3, side, side); the output are logits, shape (n, classes).

    Attributes:
        space: Name of the search space.
        architecture: The text of the architecture.
        classes: Outputs of the linear layer.
        side: Of the images that it was built for, in pixels.
    """

    space: str
    architecture: str
    classes: int
    side: int

    def __init__(self, body: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.body = body
        self.head = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features: Tensor = self.body(images)
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits

    def extra_repr(self) -> str:
        """Return what the printed module says of itself."""
        return f"{self.space}: {self.architecture}"
