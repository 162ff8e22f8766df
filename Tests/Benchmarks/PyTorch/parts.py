"""Text encoders and decoders of latents by transformers and diffusers, in the sizes that `Benchmarks parts` has.

    python parts.py PART FOLDER [--dtype float32|bfloat16] [--compile] [--threads N]

PART is t5, clip, llama, picture-decoder or video-decoder. Saves the part with its random weights to FOLDER unless it is
there, and prints "ready" when it is warm, then one time in seconds for each line that it reads, so that another program can
time its own work in turns with it.
"""

from pathlib import Path

import diffusers
import torch
import transformers

import turns


def t5():
    """A layer of T5 1.1 XXL, with a prompt of 512 tokens."""
    config = transformers.T5Config(
        vocab_size=32128, d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=1, feed_forward_proj="gated-gelu"
    )
    ids = torch.arange(512)[None] % 32000
    return transformers.T5EncoderModel, config, lambda model, dtype: lambda: model(ids)


def clip():
    """CLIP ViT-L/14's text encoder, whose prompts have 77 tokens."""
    config = transformers.CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768
    )
    ids = torch.arange(77)[None] + 1
    return transformers.CLIPTextModel, config, lambda model, dtype: lambda: model(ids)


def llama():
    """A layer of Llama 3 8B, with HunyuanVideo's template and 256 tokens."""
    config = transformers.LlamaConfig(
        vocab_size=128320, hidden_size=4096, intermediate_size=14336, num_hidden_layers=1, num_key_value_heads=8,
        rope_theta=500000.0,
    )
    ids = torch.arange(351)[None]
    return transformers.LlamaModel, config, lambda model, dtype: lambda: model(ids, use_cache=False)


def picture_decoder():
    """FLUX.1's decoder, for 512 x 512 pixels."""
    config = dict(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=16, norm_num_groups=32,
        scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
    )
    def call(model, dtype):
        latents = torch.randn(1, 16, 64, 64, dtype=dtype)
        return lambda: model.decode(latents)

    return diffusers.AutoencoderKL, config, call


def video_decoder():
    """HunyuanVideo's decoder, for 5 frames of 128 x 128 pixels."""
    def call(model, dtype):
        latents = torch.randn(1, 16, 2, 16, 16, dtype=dtype)
        return lambda: model.decode(latents)

    return diffusers.AutoencoderKLHunyuanVideo, {}, call


PARTS = {
    "t5": t5, "clip": clip, "llama": llama, "picture-decoder": picture_decoder, "video-decoder": video_decoder
}


def main():
    parser = turns.parser(__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    dtype = turns.prepare(arguments)
    kind, config, make_call = PARTS[arguments.part]()
    model = (kind(**config) if isinstance(config, dict) else kind(config)).eval().to(dtype)
    if not arguments.folder.exists():
        model.save_pretrained(arguments.folder)
    if arguments.compile:
        model.forward = torch.compile(model.forward)
        if hasattr(model, "decoder"):
            model.decoder = torch.compile(model.decoder)
    turns.serve(make_call(model, dtype), diffusers.__version__, transformers.__version__)


main()
