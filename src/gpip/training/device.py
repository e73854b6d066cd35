"""The device that networks train on."""

import torch

from gpip.core.errors import InputError


def training_device(name: str) -> torch.device:
    """`cpu` or `cuda`. Raises InputError when the GPU that was asked for cannot be used."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "a GPU was asked for (resource gpu), but PyTorch finds none: install a PyTorch build with CUDA, run where "
            "a GPU is, or leave the resource out of the profile"
        )
    return torch.device(name)


def device_of(module: torch.nn.Module) -> torch.device:
    """Where the weights of a module are."""
    return next(module.parameters()).device
