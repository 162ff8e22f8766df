"""The precision of training: bfloat16 where the CPU multiplies it, else float32."""

import contextlib

import torch


def autocast() -> contextlib.AbstractContextManager:
    """Mixed precision on CPUs with AVX-512-BF16 or AMX. Elsewhere bfloat16 is emulated, some twenty times slower."""
    if torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return contextlib.nullcontext()


def prepare_training() -> None:
    """Settings of the whole process with which a step of training takes the least time on a CPU."""
    # torch's fused attention takes two to four times as long backwards as plain products and a softmax.
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    _orthogonalize_in_float32()


def _orthogonalize_in_float32() -> None:
    """Lets Muon work in float32 where bfloat16 is emulated: it multiplies in bfloat16, whatever the model is in, which
    would take ten times as long as all else.

    The iteration is that of Muon (Jordan et al., 2024): X ← aX + (bA + cA²)X with A = XXᵀ, which takes all singular
    values near one.
    """
    if torch.cpu._is_avx512_bf16_supported():
        return

    def orthogonalized(grad: torch.Tensor, coefficients, steps: int, eps: float) -> torch.Tensor:
        a, b, c = coefficients
        tall = grad.size(0) > grad.size(1)
        x = grad.float().T if tall else grad.float()
        x = x / x.norm().clamp(min=eps)
        for _ in range(steps):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        return x.T if tall else x

    torch.optim._muon._zeropower_via_newtonschulz = orthogonalized
