"""From the last checkpoints to diffusers' pipelines in float32, family by family."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline, DiTPipeline, FlowMatchEulerDiscreteScheduler, FluxPipeline
from transformers import CLIPTokenizer, T5TokenizerFast

from . import autoencoder, dit, flux
from .data import SIZE, Data
from .files import load_checkpoint
from .text_encoders import T5_LENGTH


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of model: its class in diffusers, how it is made, and what it was trained for, which diffusers wants as
    arguments of the call and clusca reads from settings.json."""

    pipeline: type[DiffusionPipeline]
    make: Callable[[Path], tuple[DiffusionPipeline, dict[str, int]]]
    settings: dict[str, Any]


def _flux(work_dir: Path) -> tuple[FluxPipeline, dict[str, int]]:
    model, seen = flux.averaged_model(work_dir)
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False),
        vae=_picture_autoencoder(work_dir),
        text_encoder=model.encoders.clip,
        tokenizer=CLIPTokenizer.from_pretrained(work_dir / "tokenizer"),
        text_encoder_2=model.encoders.t5,
        tokenizer_2=T5TokenizerFast.from_pretrained(work_dir / "tokenizer_2"),
        transformer=model.transformer,
    )
    return pipeline, _stages(work_dir, "autoencoder", "text_encoders", "decoder") | seen


def _dit(work_dir: Path) -> tuple[DiTPipeline, dict[str, int]]:
    model, seen = dit.averaged_model(work_dir)
    names = dit.class_names(Data(work_dir))
    with torch.no_grad():  # labels that are not trained mean no class
        for block in model.transformer.transformer_blocks:
            table = block.norm1.emb.class_embedder.embedding_table.weight
            table[len(names) :] = table[dit.NO_CLASS].clone()
    vae = _picture_autoencoder(work_dir)
    vae.register_to_config(shift_factor=None)  # DiTPipeline knows of none
    pipeline = DiTPipeline(transformer=model.transformer, vae=vae, scheduler=dit.make_scheduler(), id2label=names)
    pipeline.register_to_config(id2label=names)
    return pipeline, _stages(work_dir, "autoencoder", "decoder") | seen


FAMILIES = {
    "flux": Family(
        FluxPipeline,
        _flux,
        {
            "num_inference_steps": 50,
            "true_cfg_scale": 3.0,
            "negative_prompt": "",
            "height": SIZE,
            "width": SIZE,
            "max_sequence_length": T5_LENGTH,
        },
    ),
    "dit": Family(DiTPipeline, _dit, {"num_inference_steps": 50, "guidance_scale": 2.0}),
}


def make_pipeline(family: str, work_dir: Path) -> tuple[DiffusionPipeline, dict[str, int]]:
    """The pipeline of the last checkpoint, and the samples seen by stage."""
    pipeline, seen = FAMILIES[family].make(work_dir)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, seen


def _picture_autoencoder(work_dir: Path) -> AutoencoderKL:
    return autoencoder.load(work_dir).to(memory_format=torch.contiguous_format)


def _stages(work_dir: Path, *names: str) -> dict[str, int]:
    """Samples seen by the stages that have checkpoints of their own."""
    states = {name.removesuffix("_encoders"): load_checkpoint(work_dir / f"{name}.pt") for name in names}
    return {name: state["samples"] for name, state in states.items() if state}
