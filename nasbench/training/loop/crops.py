"""Crops and mirror images: padded, cut and flipped as they are asked for, a batch at a time, on the images' device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


class Crops:
    """Images with a black margin, of which crops of the images' own size are cut.

    Args:
        pixels: uint8, shape (images, 3, side, side).
        margin: Black pixels around each image.
    """

    def __init__(self, pixels: Tensor, margin: int) -> None:
        side = pixels.shape[-1]
        padded = pad(pixels, (margin,) * 4).permute(0, 2, 3, 1)  # image, y, x, colour: in the order "channels last"
        both = torch.stack([padded, padded.flip(2)])  # each image as it is, and mirrored
        # Windows onto these, which nothing is copied for: mirrored, image, top, left, colour, y, x.
        windows = both.unfold(2, side, 1).unfold(3, side, 1)
        self._windows = windows.permute(0, 1, 2, 3, 5, 6, 4)  # ..., y, x, colour
        self._margin = margin

    def cut(self, rows: Tensor) -> Tensor:
        """Return one crop a row, shape (n, 3, side, side), in the order "channels last".

        Args:
            rows: int64, shape (n, 4): image, top and left of its crop in the padded image, and 1 to mirror the crop.
        """
        image, top, left, mirrored = rows.unbind(1)
        # In the mirror image of a padded image, the mirror image of a crop is as far from the other edge.
        left = torch.where(mirrored > 0, 2 * self._margin - left, left)
        return self._windows[mirrored, image, top, left].permute(0, 3, 1, 2)
