"""What the model is compared with."""
