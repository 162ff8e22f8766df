"""The precision of training: bfloat16 where the CPU multiplies it, else float32."""

import contextlib

import torch


def autocast() -> contextlib.AbstractContextManager:
    """Mixed precision on CPUs with AVX-512-BF16 or AMX. Elsewhere bfloat16 is emulated, some twenty times slower."""
    if torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return contextlib.nullcontext()
