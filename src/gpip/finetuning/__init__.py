"""Fine-tuning on labelled frames: from scratch, or from pre-trained weights."""
