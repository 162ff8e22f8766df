"""From the last checkpoints to diffusers' pipelines in float32, family by family."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    DiTPipeline,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    HunyuanVideoPipeline,
)
from transformers import CLIPTokenizer, LlamaTokenizerFast, T5TokenizerFast

from . import autoencoder, dit, flux, video, video_autoencoder
from .data import SIZE, Data
from .files import load_checkpoint
from .text_encoders import T5_LENGTH
from .video_data import FRAMES, FRAMES_PER_SECOND, SIDE
from .video_encoders import CLIP_FOLDER, LLAMA_FOLDER, TEXT_TOKENS

VIDEO_SHIFT = 3.0  # the form of a clip is decided at much noise, so more steps go there


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of model: its class in diffusers, how it is made, and what it was trained for, which diffusers wants as
    arguments of the call and clusca reads from settings.json."""

    pipeline: type[DiffusionPipeline]
    make: Callable[[Path], tuple[DiffusionPipeline, dict[str, int]]]
    settings: dict[str, Any]
    other_settings: dict[str, Any] = dataclasses.field(default_factory=dict)  # which clusca knows and diffusers does not


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
    stages = {"autoencoder": "autoencoder", "text": "text_encoders", "decoder": "decoder"}
    return pipeline, _stages(work_dir, stages) | seen


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
    return pipeline, _stages(work_dir, {"autoencoder": "autoencoder", "decoder": "decoder"}) | seen


def _video(work_dir: Path) -> tuple[HunyuanVideoPipeline, dict[str, int]]:
    model, seen = video.averaged_model(work_dir)
    pipeline = HunyuanVideoPipeline(
        text_encoder=model.encoders.llama,
        tokenizer=LlamaTokenizerFast.from_pretrained(work_dir / LLAMA_FOLDER),
        transformer=model.transformer,
        vae=video_autoencoder.load(work_dir),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=VIDEO_SHIFT),
        text_encoder_2=model.encoders.clip,
        tokenizer_2=CLIPTokenizer.from_pretrained(work_dir / CLIP_FOLDER),
    )
    stages = {"video-autoencoder": "video_autoencoder", "video-text": "video_encoders"}
    return pipeline, _stages(work_dir, stages) | seen


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
    "video": Family(
        HunyuanVideoPipeline,
        _video,
        {
            "num_inference_steps": 50,
            "true_cfg_scale": 3.0,
            "negative_prompt": "",
            "height": SIDE,
            "width": SIDE,
            "num_frames": FRAMES,
            "max_sequence_length": TEXT_TOKENS,
        },
        {"fps": FRAMES_PER_SECOND},
    ),
}


def make_pipeline(family: str, work_dir: Path) -> tuple[DiffusionPipeline, dict[str, int]]:
    """The pipeline of the last checkpoint, and the samples seen by stage."""
    pipeline, seen = FAMILIES[family].make(work_dir)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, seen


def _picture_autoencoder(work_dir: Path) -> AutoencoderKL:
    return autoencoder.load(work_dir).to(memory_format=torch.contiguous_format)


def _stages(work_dir: Path, files: dict[str, str]) -> dict[str, int]:
    """Samples seen by the stages that have checkpoints of their own, with the names of these."""
    states = {stage: load_checkpoint(work_dir / f"{name}.pt") for stage, name in files.items()}
    return {stage: state["samples"] for stage, state in states.items() if state}
