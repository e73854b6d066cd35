"""Parts that several backbones share: bases, filters, sums over neighbours, heads."""
