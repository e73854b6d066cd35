"""One training loop for pre-training and fine-tuning. It knows steps and weights, and nothing of any objective."""
