"""The PyTorch side of docs/performance.md: training steps and rollouts of a Qwen2-VL checkpoint on the CPU, in float32.

    pip install torch==2.15.0 torchvision==0.29.2 transformers==5.23.0 numpy==2.4.6
    python benches/peers/nano_torch.py --model assets/nano --batch 8 --threads 1
    python benches/peers/nano_torch.py --model assets/nano --batch 8 --threads 2 --repeats 10

One training step is forward, backward and AdamW on `--batch` sequences of `--prompt` + `--completion` tokens, each with one
random picture of `--picture` pixels, with the vision tower frozen and the loss on the completion. One rollout draws
`--completion` tokens for each of `--batch` prompts with a key/value cache at temperature 1. Every repeat is timed after
`--warmup` that are not. Prints one JSON object: medians, standard deviations and n, in wall seconds and CPU seconds.

With `--features` the vision tower runs once before the clock starts, as modo does with pictures it has seen.
"""

import argparse
import json
import os
import statistics
import time
import warnings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint folder")
    parser.add_argument("--batch", type=int, default=8, help="sequences per step")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--prompt", type=int, default=96, help="tokens before the completion, picture included")
    parser.add_argument("--completion", type=int, default=64, help="tokens trained on or drawn")
    parser.add_argument("--picture", type=int, default=84, help="side of the square picture in pixels")
    parser.add_argument("--features", action="store_true", help="compute the pictures' features before the clock starts")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    # Read by the numeric libraries when they load, so set before torch is imported.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(arguments.threads)
    warnings.simplefilter("ignore")
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(arguments.seed)
    model = transformers.Qwen2VLForConditionalGeneration.from_pretrained(arguments.model, dtype=torch.float32)
    model.model.visual.requires_grad_(False)
    inputs = random_inputs(torch, model, arguments)

    training = measure(arguments, training_step(torch, model, inputs, arguments))
    rollout = measure(arguments, rollout_step(torch, model, inputs, arguments))
    pictures = measure(arguments, picture_step(torch, model, inputs))
    trained = arguments.batch * (inputs["prompt_length"] + arguments.completion)
    drawn = arguments.batch * arguments.completion
    print(
        json.dumps(
            {
                "peer": "pytorch",
                "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
                "model": arguments.model,
                "parameters": sum(weight.numel() for weight in model.parameters()),
                "trainable": sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
                "batch": arguments.batch,
                "threads": arguments.threads,
                "prompt_tokens": inputs["prompt_length"],
                "completion_tokens": arguments.completion,
                "picture_px": inputs["picture_px"],
                "features_cached": arguments.features,
                "training_step": training | rates(training, "tokens", trained),
                "rollout": rollout | rates(rollout, "tokens", drawn),
                "picture_features": pictures | rates(pictures, "pictures", arguments.batch),
            },
            indent=2,
        )
    )


def random_inputs(torch, model, arguments):
    """Prompts of ordinary tokens around one picture each, and completions."""
    vision, text, config = model.config.vision_config, model.config.text_config, model.config
    square = vision.patch_size * vision.spatial_merge_size
    side = max(1, round(arguments.picture / square)) * vision.spatial_merge_size
    n_picture = (side // vision.spatial_merge_size) ** 2
    n_text = max(1, arguments.prompt - n_picture - 2)
    batch = arguments.batch
    reserved = [config.image_token_id, config.video_token_id, config.vision_start_token_id, config.vision_end_token_id]
    ordinary = min(text.vocab_size, *reserved)

    def words(n):
        return torch.randint(0, ordinary, (batch, n))

    def constant(token, n=1):
        return torch.full((batch, n), token)

    prompt = torch.cat(
        [
            constant(config.vision_start_token_id),
            constant(config.image_token_id, n_picture),
            constant(config.vision_end_token_id),
            words(n_text),
        ],
        dim=1,
    )
    patch_dim = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    pixels = torch.randn(batch * side * side, patch_dim)
    grid = torch.tensor([[1, side, side]] * batch)
    with torch.no_grad():
        features = model.model.visual(pixels, grid_thw=grid).pooler_output
    return {
        "prompt": prompt,
        "completion": words(arguments.completion),
        "pixels": pixels,
        "grid": grid,
        "features": features,
        "prompt_length": prompt.shape[1],
        "picture_px": side * vision.patch_size,
    }


def model_arguments(torch, model, inputs, ids, features):
    """What the model is called with: pixels, or embeddings with the pictures' features in place."""
    types = (ids == model.config.image_token_id).int()
    if not features:
        return {
            "input_ids": ids,
            "pixel_values": inputs["pixels"],
            "image_grid_thw": inputs["grid"],
            "mm_token_type_ids": types,
        }
    embeddings = model.get_input_embeddings()(ids)
    embeddings = embeddings.masked_scatter((types == 1).unsqueeze(-1), inputs["features"])
    positions, _ = model.model.get_rope_index(ids, types, image_grid_thw=inputs["grid"])
    return {"inputs_embeds": embeddings, "position_ids": positions}


def training_step(torch, model, inputs, arguments):
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-5)
    ids = torch.cat([inputs["prompt"], inputs["completion"]], dim=1)
    start = inputs["prompt_length"]

    def step():
        model.train()
        # Logits of the positions that predict the completion, and no others, as in modo.
        keep = arguments.completion + 1
        logits = model(
            **model_arguments(torch, model, inputs, ids, arguments.features), logits_to_keep=keep, use_cache=False
        ).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, start:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def rollout_step(torch, model, inputs, arguments):
    """A plain loop with the cache: `generate` spends more time on bookkeeping than a model of this size on its sums."""
    types = (inputs["prompt"] == model.config.image_token_id).int()
    _, deltas = model.model.get_rope_index(inputs["prompt"], types, image_grid_thw=inputs["grid"])

    @torch.no_grad()
    def step():
        model.eval()
        given = model_arguments(torch, model, inputs, inputs["prompt"], arguments.features)
        out = model(**given, use_cache=True, logits_to_keep=1)
        for n in range(arguments.completion):
            probabilities = torch.softmax(out.logits[:, -1], dim=-1)
            drawn = torch.multinomial(probabilities, 1)
            if n + 1 == arguments.completion:
                break
            positions = (inputs["prompt_length"] + n + deltas).unsqueeze(0).expand(3, -1, -1)
            out = model(
                input_ids=drawn, position_ids=positions, past_key_values=out.past_key_values, use_cache=True
            )

    return step


def picture_step(torch, model, inputs):
    @torch.no_grad()
    def step():
        model.model.visual(inputs["pixels"], grid_thw=inputs["grid"])

    return step


def measure(arguments, step):
    for _ in range(arguments.warmup):
        step()
    wall, cpu = [], []
    for _ in range(arguments.repeats):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        step()
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)

    def summary(seconds):
        spread = statistics.stdev(seconds) if len(seconds) > 1 else None
        return {"median": statistics.median(seconds), "sd": spread}

    return {"n": arguments.repeats, "wall_s": summary(wall), "cpu_s": summary(cpu)}


def rates(measured, what, n):
    return {
        what: n,
        f"{what}_per_wall_s": n / measured["wall_s"]["median"],
        f"{what}_per_cpu_s": n / measured["cpu_s"]["median"],
    }


if __name__ == "__main__":
    main()
