"""Self-supervised pretext tasks on unlabelled configurations: masking, denoising, contrast with a 3D net."""
