"""The time that training takes: of the processor, or of a GPU that it waits for."""

import time

import torch


class Clock:
    """Processor seconds of this process, all threads together; on a GPU seconds until its work is done.

    Processor time, unlike time on the wall, hardly depends on what else the machine does.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.name = "processor" if device.type == "cpu" else device.type

    def seconds(self) -> float:
        if self.device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()
