"""One thread: two that wait for each other are many times slower on models this small."""

import torch

torch.set_num_threads(1)
