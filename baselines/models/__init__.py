"""What the model-based algorithms share: their loop, their networks, their encodings."""
