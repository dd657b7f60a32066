"""Blocks that the networks share. Attribute names are those of the published checkpoints.

Shapes: B images (or image-object pairs), C channels, H x W positions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def upsample(x: Tensor, factor: int) -> Tensor:
    """Bilinear upsampling with half-pixel centres, as both papers use it."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class ResBlock(nn.Module):
    """Pre-activation residual block; the shortcut is a 3x3 convolution where the widths differ."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.downsample = nn.Conv2d(in_dim, out_dim, 3, padding=1) if in_dim != out_dim else None
        self.conv1 = nn.Conv2d(in_dim, out_dim, 3, padding=1)
        self.conv2 = nn.Conv2d(out_dim, out_dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv2(F.relu(self.conv1(F.relu(x))))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.add(shortcut, residual)


class UpsampleBlock(nn.Module):
    """Add a finer skip connection to upsampled features (STCN's decoder stage)."""

    def __init__(self, skip_dim: int, up_dim: int, out_dim: int) -> None:
        super().__init__()
        self.skip_conv = nn.Conv2d(skip_dim, up_dim, 3, padding=1)
        self.out_conv = ResBlock(up_dim, out_dim)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """skip (B, C, H, W) is one per image; x (B*O, C', H/2, W/2) is one per image and object."""
        skip = self.skip_conv(skip).repeat_interleave(len(x) // len(skip), dim=0)  # once an image, not an object
        merged: Tensor = self.out_conv(skip + upsample(x, 2))
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

    def __init__(self, in_dim: int, out_dim: int, attention: bool) -> None:
        super().__init__()
        self.block1 = ResBlock(in_dim, out_dim)
        self.attention = CBAM(out_dim) if attention else None
        self.block2 = ResBlock(out_dim, out_dim)

    def forward(self, x: Tensor, f16: Tensor) -> Tensor:
        x = self.block1(torch.cat((x, f16), dim=1))
        if self.attention is not None:
            x = x + self.attention(x)
        fused: Tensor = self.block2(x)
        return fused
