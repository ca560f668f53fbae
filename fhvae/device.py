"""Where tensors live: chosen by code, never by a param, so results carry no machine name."""

import os

import torch


def choose_device() -> torch.device:
    """Take CUDA if there is one, else the CPU with one thread.

    One thread: sums are then ordered alike on any number of cores, and several runs side
    by side do not slow each other down. CUDA computes in float32, as the CPU; PyTorch would
    take TF32 for recurrent layers. Training may choose otherwise (fhvae/training/learner.py).
    """
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))  # of torchrun
        torch.cuda.set_device(device)
        torch.backends.cudnn.allow_tf32 = False
        return device
    torch.set_num_threads(1)
    return torch.device("cpu")
