"""Linear layers as several authors' codes begin them."""

from torch import nn


def dense(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    """A linear layer that begins with Glorot's uniform weights and no bias, as in SchNet, PaiNN and TorchMD-Net.

    With PyTorch's own beginning (He's for leaky units, random biases) filters of the distance are rougher, and the
    networks fit unseen configurations less well.
    """
    layer = nn.Linear(n_in, n_out, bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
