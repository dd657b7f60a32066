"""Blocks that the networks share. Attribute names are those of the published checkpoints.

Shapes: B images (or image-object pairs), C channels, H x W positions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def upsample(x: Tensor, factor: int) -> Tensor:
    """Bilinear upsampling (B, C, H, W) -> B, C, H*factor, W*factor with half-pixel centres, as in both papers."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def add_to_objects(x: Tensor, of_image: Tensor) -> Tensor:
    """Add an image's features (B, C, H, W) to those of each of its objects, x (B*O, C, H, W), in place."""
    x.unflatten(0, (len(of_image), -1)).add_(of_image[:, None])
    return x


class PreactivatedConv(nn.Conv2d):
    """A 3x3 convolution of ReLU(x)."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__(in_dim, out_dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.relu(x))


class ResBlock(nn.Module):
    """Pre-activation residual block (He et al., ECCV 2016); where widths differ the shortcut is a 3x3 convolution."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.downsample = nn.Conv2d(in_dim, out_dim, 3, padding=1) if in_dim != out_dim else None
        self.conv1 = PreactivatedConv(in_dim, out_dim)
        self.conv2 = PreactivatedConv(out_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(self.conv1(x))
        return residual.add_(x if self.downsample is None else self.downsample(x))


class SharedConv(nn.Conv2d):
    """A 3x3 convolution over an object's channels and its image's, which it convolves once for all objects."""

    def __init__(self, own_dim: int, shared_dim: int, out_dim: int) -> None:
        super().__init__(own_dim + shared_dim, out_dim, 3, padding=1)
        self.own_dim = own_dim

    def forward(self, x: Tensor, shared: Tensor) -> Tensor:  # type: ignore[override]
        """x (B*O, C, H, W), one per image and object, shared (B, C', H, W), one per image -> B*O, out_dim, H, W."""
        of_object = F.conv2d(x, self.weight[:, : self.own_dim], padding=1)
        of_image = F.conv2d(shared, self.weight[:, self.own_dim :], self.bias, padding=1)
        return add_to_objects(of_object, of_image)


class MergeBlock(nn.Module):
    """ResBlock over an object's channels and its image's."""

    def __init__(self, own_dim: int, shared_dim: int, out_dim: int) -> None:
        super().__init__()
        self.downsample = SharedConv(own_dim, shared_dim, out_dim)
        self.conv1 = SharedConv(own_dim, shared_dim, out_dim)
        self.conv2 = PreactivatedConv(out_dim, out_dim)

    def forward(self, x: Tensor, shared: Tensor) -> Tensor:
        """x (B*O, C, H, W), one per image and object, shared (B, C', H, W), one per image -> B*O, out_dim, H, W."""
        residual: Tensor = self.conv2(self.conv1(F.relu(x), F.relu(shared)))
        return residual.add_(self.downsample(x, shared))


class UpsampleBlock(nn.Module):
    """Add a finer skip connection to upsampled features (STCN's decoder stage)."""

    def __init__(self, skip_dim: int, up_dim: int, out_dim: int) -> None:
        super().__init__()
        self.skip_conv = nn.Conv2d(skip_dim, up_dim, 3, padding=1)
        self.out_conv = ResBlock(up_dim, out_dim)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """skip (B, C, H, W), one per image, x (B*O, C', H/2, W/2), one per image and object -> B*O, out_dim, H, W."""
        merged: Tensor = self.out_conv(add_to_objects(upsample(x, 2), self.skip_conv(skip)))
        return merged


class ChannelGate(nn.Module):
    """CBAM's channel attention (Woo et al., ECCV 2018, eq. 2)."""

    def __init__(self, dim: int, reduction: int = 16) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(dim, dim // reduction), nn.ReLU(), nn.Linear(dim // reduction, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        scale = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))  # B, C
        gated: Tensor = x * scale.sigmoid()[..., None, None]
        return gated


class SpatialGate(nn.Module):
    """CBAM's spatial attention (eq. 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.ModuleDict({"conv": nn.Conv2d(2, 1, 7, padding=3)})

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.stack((x.amax(1), x.mean(1)), dim=1)  # B, 2, H, W
        gated: Tensor = x * self.spatial["conv"](pooled).sigmoid()
        return gated


class CBAM(nn.Module):
    """Channel, then spatial attention."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ChannelGate = ChannelGate(dim)
        self.SpatialGate = SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = self.SpatialGate(self.ChannelGate(x))
        return gated


class FeatureFusion(nn.Module):
    """Fuse value features with the key encoder's (STCN section 3.2): ResBlock, CBAM, ResBlock."""

    def __init__(self, in_dim: int, f16_dim: int, out_dim: int, *, attention: bool) -> None:
        super().__init__()
        self.block1 = MergeBlock(in_dim, f16_dim, out_dim)
        self.attention = CBAM(out_dim) if attention else None
        self.block2 = ResBlock(out_dim, out_dim)

    def forward(self, x: Tensor, f16: Tensor) -> Tensor:
        """x (B*O, C, h, w), one per image and object, f16 (B, C', h, w), one per image -> B*O, out_dim, h, w."""
        x = self.block1(x, f16)
        if self.attention is not None:
            x = x + self.attention(x)
        fused: Tensor = self.block2(x)
        return fused
