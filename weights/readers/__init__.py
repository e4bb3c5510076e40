"""Readers of the checkpoint formats people hold. Each gives a list of Tensor and runs nothing."""
