"""Full steps of diffusers' transformers with random weights, in the sizes that `Benchmarks step` has.

    python steps.py MODEL [--dtype float32|bfloat16] [--compile] [--threads N]

MODEL is dit-256, flux-512, flux-1024 or hunyuan-4k. Prints "ready" when it is warm, then one time in seconds for each
line that it reads, so that another program can time its own work in turns with it.
"""

import diffusers
import torch

import turns

GUIDANCE = 3.5


def dit():
    model = diffusers.DiTTransformer2DModel(out_channels=8)
    return model, lambda dtype: dict(
        hidden_states=torch.randn(2, 4, 32, 32, dtype=dtype),
        timestep=torch.tensor([500, 500]),
        class_labels=torch.tensor([207, 1000]),
    )


def flux(tokens_a_side):
    model = diffusers.FluxTransformer2DModel(num_layers=1, num_single_layers=1, guidance_embeds=True)

    def inputs(dtype):
        side = torch.arange(tokens_a_side)
        image_ids = torch.zeros(tokens_a_side, tokens_a_side, 3)
        image_ids[..., 1], image_ids[..., 2] = side[:, None], side[None, :]
        return dict(
            hidden_states=torch.randn(1, tokens_a_side**2, 64, dtype=dtype),
            encoder_hidden_states=torch.randn(1, 512, 4096, dtype=dtype),
            pooled_projections=torch.randn(1, 768, dtype=dtype),
            timestep=torch.tensor([0.5], dtype=dtype),
            guidance=torch.tensor([GUIDANCE], dtype=dtype),
            img_ids=image_ids.reshape(-1, 3),
            txt_ids=torch.zeros(512, 3),
        )

    return model, inputs


def hunyuan():
    model = diffusers.HunyuanVideoTransformer3DModel(num_layers=1, num_single_layers=1)
    return model, lambda dtype: dict(
        hidden_states=torch.randn(1, 16, 4, 64, 64, dtype=dtype),
        encoder_hidden_states=torch.randn(1, 256, 4096, dtype=dtype),
        encoder_attention_mask=torch.ones(1, 256, dtype=torch.bool),
        pooled_projections=torch.randn(1, 768, dtype=dtype),
        timestep=torch.tensor([500]),
        guidance=torch.tensor([1000 * GUIDANCE], dtype=dtype),
    )


MODELS = {
    "dit-256": dit,
    "flux-512": lambda: flux(32),
    "flux-1024": lambda: flux(64),
    "hunyuan-4k": hunyuan,
}


def main():
    parser = turns.parser(__doc__)
    parser.add_argument("model", choices=MODELS)
    arguments = parser.parse_args()
    dtype = turns.prepare(arguments)
    model, make_inputs = MODELS[arguments.model]()
    model = model.eval().to(dtype)
    inputs = make_inputs(dtype)
    step = torch.compile(model) if arguments.compile else model
    turns.serve(lambda: step(**inputs), diffusers.__version__)


main()
