"""One training: the loop, its optimizers, its randomness, its checkpoints, and the device that it runs on."""
