"""Makes tiny random Qwen2-VL checkpoints and records what the reference implementation computes from them.

    pip install torch==2.15.0 torchvision==0.29.2 transformers==5.23.0 tokenizers==0.23.3 \
        safetensors==0.8.0 pillow==13.0.0 numpy==2.4.6
    python tests/parity/make_fixtures.py                              # the stored fixtures
    python tests/parity/make_fixtures.py --out DIR --seed 7 --swap-tying --dtype float32   # others to test against

No download: the tokenizer is trained on the sentences below, the weights are random, the chat template is the one published
with Qwen2-VL. Two checkpoints come out, one in each layout that exists:

    OUT/v5/           as transformers 5 saves it (text_config, rope_parameters, processor_config.json, chat_template.jinja)
    OUT/published/    as Qwen2-VL was published (flat config.json, preprocessor_config.json, chat_template.json, shards with an
                      index, vocab.json + merges.txt without tokenizer.json)
    OUT/NAME.json     cases: question, pictures, token ids, position ids, greedy continuation; texts with their token ids
    OUT/NAME.safetensors   `logits.CASE` of the last positions; `steps.CASE` of each decoding step, every fifth; f32
    OUT/pictures/*.png, OUT/pixels.safetensors   pictures, and their pixel values after the reference's image processor
"""

import argparse
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AddedToken,
    AutoProcessor,
    Qwen2Tokenizer,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

SPECIAL_TOKENS = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|> <|quad_start|> "
    "<|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>"
).split()

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CHAT_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

SENTENCES = [
    "You are a helpful assistant.",
    "What is the colour of the large square to the left of the circle?",
    "How many triangles are in the picture? Answer with a number.",
    "The answer is 12, because there are three rows of four.",
    "Which of the two pictures shows more circles, the first or the second?",
    "It's what they're looking for: <think>the angle is 40 degrees</think><answer>B</answer>",
    "system user assistant",
]

TEXTS = [
    "",
    " ",
    "What is in the picture?",
    "It's  12345 degrees;\n\n  they'LL see\t...\r\nend  ",
    "\u00e9 and e\u0301, na\u00efve, \u4f60\u597d, \u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439, \U0001f642\u200d",
    "<think>a<b && c>d</think><answer>[[4,8,20,24]]</answer>",
    "<|im_start|>user\nhello<|im_end|>\n",
    "\u0000\u00a0\u3000x",
]

VOCAB_SIZE = 400
LOGITS_KEPT = 8
COLUMNS_KEPT = 5  # of the logits of each decoding step every fifth
NEW_TOKENS = 16

CASES = {
    "text": ([], "How many triangles are in the picture?"),
    "exact_size": (["exact.png"], "What is the colour of the square?"),
    "shrunk": (["large.png"], "Which is it? It's 12."),
    "two": (["exact.png", "small.png"], "Which of the two pictures shows more circles?"),
    "portrait": (["tall.png"], "What is it?"),
    "two_grids": (["tall.png", "exact.png"], "Which of the two is higher?"),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "fixtures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16", help="of the v5 weights; published ones are bfloat16")
    parser.add_argument("--swap-tying", action="store_true", help="v5 tied and published untied instead of the other way round")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    pictures = make_pictures(out / "pictures", arguments.seed)
    vocab, merges = train_bpe()
    processor = make_processor(vocab, merges)

    v5 = config(
        hidden=64, intermediate=96, sections=[2, 3, 3], vision=32, vision_heads=2, tied=arguments.swap_tying, processor=processor
    )

    def write_v5(model):
        fresh(out / "v5")
        model.to(getattr(torch, arguments.dtype)).save_pretrained(out / "v5")
        processor.save_pretrained(out / "v5")

    make(out, "v5", v5, arguments.seed, pictures, processor, write_v5)

    published = config(
        hidden=80, intermediate=72, sections=[2, 4, 4], vision=48, vision_heads=3, tied=not arguments.swap_tying, processor=processor
    )
    make(
        out,
        "published",
        published,
        arguments.seed + 1,
        pictures,
        processor,
        lambda model: write_published(out / "published", model, processor, vocab, merges),
    )


def make(out, name, settings, seed, pictures, processor, write):
    """Writes and records the first random model from this seed whose greedy decoding is no toss-up anywhere."""
    for weights in range(seed, seed + 20_000, 1000):
        write(random_model(settings, weights, scale_last_ids_from=len(processor.tokenizer)))
        try:
            record(out, name, pictures, weights)
            return
        except TossUp as problem:
            print(f"{problem}; drawing other weights")
    raise SystemExit(f"{name}: 20 models and none will do")


class TossUp(Exception):
    """Two tokens are so nearly equally probable that a correct implementation may choose the other one, or the text ends."""


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def make_pictures(folder, seed):
    """Four sizes: two that need no resizing, one that has to shrink and one that has to grow (height, width below)."""
    fresh(folder)
    rng = np.random.default_rng(seed)
    pictures = {}
    sizes = {"exact.png": (56, 84), "large.png": (97, 170), "small.png": (31, 45), "tall.png": (112, 56)}
    for name, (height, width) in sizes.items():
        y, x = np.mgrid[0:height, 0:width] / 20.0
        phase = rng.uniform(0, 6, 3)
        pixels = np.stack([127 + 120 * np.sin(x * (1 + c) + phase[c]) * np.cos(y * (2 - c / 2)) for c in range(3)], axis=-1)
        for _ in range(4):  # hard edges, where a wrong filter overshoots differently
            top, left = rng.integers(0, height - 10), rng.integers(0, width - 12)
            pixels[top : top + 9, left : left + 11] = rng.integers(0, 256, 3)
        picture = Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))
        picture.save(folder / name, optimize=True)
        pictures[name] = picture
    return pictures


def train_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    # One merge short of the special tokens and a few rows that no token has, as in the real vocabulary.
    trainer = trainers.BpeTrainer(
        vocab_size=376, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    parts = json.loads(tokenizer.to_str())["model"]
    return parts["vocab"], [tuple(merge) for merge in parts["merges"]]


def make_processor(vocab, merges):
    # The constructor numbers the tokens it is told of in an order of its own; these have the published order.
    end = SPECIAL_TOKENS[0]
    tokenizer = Qwen2Tokenizer(vocab=dict(vocab), merges=list(merges), unk_token=end, eos_token=end, pad_token=end)
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    tokenizer.eos_token = "<|im_end|>"
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS] == list(
        range(len(vocab), len(vocab) + len(SPECIAL_TOKENS))
    )
    # Small limits, so that small pictures have to be resized both ways.
    images = Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=84 * 112)
    return Qwen2VLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )


def config(hidden, intermediate, sections, vision, vision_heads, tied, processor):
    token = processor.tokenizer.convert_tokens_to_ids
    return Qwen2VLConfig(
        text_config=dict(
            vocab_size=VOCAB_SIZE,
            hidden_size=hidden,
            intermediate_size=intermediate,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            rms_norm_eps=1e-6,
            max_position_embeddings=2048,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections},
            bos_token_id=token("<|endoftext|>"),
            eos_token_id=token("<|im_end|>"),
            pad_token_id=token("<|endoftext|>"),
        ),
        vision_config=dict(
            depth=2,
            embed_dim=vision,
            hidden_size=hidden,
            mlp_ratio=2,
            num_heads=vision_heads,
            patch_size=14,
            spatial_merge_size=2,
            temporal_patch_size=2,
        ),
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=tied,
    )


def random_model(settings, seed, scale_last_ids_from):
    """Weights that are exact in bfloat16 and large enough for logits that differ clearly from token to token."""
    torch.manual_seed(seed)
    model = Qwen2VLForConditionalGeneration(settings).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name or "ln_q" in name:
                weight.normal_(0.0, 0.1).add_(1.0 if name.endswith("weight") else 0.0)
            elif name.endswith("bias"):
                weight.normal_(0.0, 0.1)
            elif "embed_tokens" in name:
                weight.normal_(0.0, 0.4)
            elif "lm_head" in name:
                weight.normal_(0.0, 0.3)
            else:
                weight.normal_(0.0, 1.5 * weight[0].numel() ** -0.5)
        for weight in [model.get_input_embeddings().weight, model.lm_head.weight]:
            # Special tokens are never the most probable, so that 16 greedy tokens always are 16 ordinary ones.
            weight[scale_last_ids_from - len(SPECIAL_TOKENS) :].mul_(0.2)
        for weight in model.parameters():
            weight.copy_(weight.to(torch.bfloat16))
    token = settings.text_config
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=token.bos_token_id,
        eos_token_id=[token.eos_token_id, token.bos_token_id],
        pad_token_id=token.pad_token_id,
    )
    return model


def write_published(folder, model, processor, vocab, merges):
    fresh(folder)
    text, vision = model.config.text_config, model.config.vision_config
    flat = {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "attention_dropout": 0.0,
        "bos_token_id": text.bos_token_id,
        "eos_token_id": text.eos_token_id,
        "vision_start_token_id": model.config.vision_start_token_id,
        "vision_end_token_id": model.config.vision_end_token_id,
        "vision_token_id": processor.tokenizer.convert_tokens_to_ids("<|vision_pad|>"),
        "image_token_id": model.config.image_token_id,
        "video_token_id": model.config.video_token_id,
        "hidden_act": "silu",
        "hidden_size": text.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": text.intermediate_size,
        "max_position_embeddings": text.max_position_embeddings,
        "max_window_layers": text.num_hidden_layers,
        "model_type": "qwen2_vl",
        "num_attention_heads": text.num_attention_heads,
        "num_hidden_layers": text.num_hidden_layers,
        "num_key_value_heads": text.num_key_value_heads,
        "rms_norm_eps": text.rms_norm_eps,
        "rope_theta": text.rope_parameters["rope_theta"],
        "sliding_window": text.max_position_embeddings,
        "tie_word_embeddings": model.config.tie_word_embeddings,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.41.2",
        "use_cache": True,
        "use_sliding_window": False,
        "vision_config": {
            "depth": vision.depth,
            "embed_dim": vision.embed_dim,
            "mlp_ratio": vision.mlp_ratio,
            "num_heads": vision.num_heads,
            "in_chans": vision.in_channels,
            "hidden_size": vision.hidden_size,
            "patch_size": vision.patch_size,
            "spatial_merge_size": vision.spatial_merge_size,
            "spatial_patch_size": vision.patch_size,
            "temporal_patch_size": vision.temporal_patch_size,
        },
        "rope_scaling": {"type": "mrope", "mrope_section": text.rope_parameters["mrope_section"]},
        "vocab_size": text.vocab_size,
    }
    images = processor.image_processor
    preprocessor = {
        "min_pixels": images.size["shortest_edge"],
        "max_pixels": images.size["longest_edge"],
        "patch_size": images.patch_size,
        "temporal_patch_size": images.temporal_patch_size,
        "merge_size": images.merge_size,
        "image_mean": list(images.image_mean),
        "image_std": list(images.image_std),
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2VLProcessor",
    }
    generation = {
        "bos_token_id": text.bos_token_id,
        "pad_token_id": text.pad_token_id,
        "do_sample": True,
        "eos_token_id": [text.eos_token_id, text.bos_token_id],
        "repetition_penalty": 1.0,
        "temperature": 0.01,
        "top_p": 0.001,
        "top_k": 1,
        "transformers_version": "4.37.0",
    }
    added = {
        str(len(vocab) + i): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for i, token in enumerate(SPECIAL_TOKENS)
    }
    tokenizer = {
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": SPECIAL_TOKENS[1:],
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "padding_side": "left",
        "errors": "replace",
        "model_max_length": 32768,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    for name, content in {
        "config.json": flat,
        "preprocessor_config.json": preprocessor,
        "generation_config.json": generation,
        "tokenizer_config.json": tokenizer,
        "chat_template.json": {"chat_template": CHAT_TEMPLATE},
        "vocab.json": vocab,
    }.items():
        indent = None if name == "vocab.json" else 2
        (folder / name).write_text(json.dumps(content, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["#version: 0.2"] + [" ".join(merge) for merge in merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    tensors = {}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        name = name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")
        tensors[name] = weight.to(torch.bfloat16).clone().contiguous()
    total = sum(weight.numel() * weight.element_size() for weight in tensors.values())
    shards, size = [{}, {}], 0
    for name, weight in tensors.items():
        shards[int(size > total // 2)][name] = weight
        size += weight.numel() * weight.element_size()
    index = {"metadata": {"total_size": total}, "weight_map": {}}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        index["weight_map"].update({name: file for name in shard})
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


@torch.no_grad()
def record(out, name, pictures, seed):
    """What the reference reads and computes from the folder as it lies there, in float32."""
    processor = AutoProcessor.from_pretrained(out / name)
    model = Qwen2VLForConditionalGeneration.from_pretrained(
        out / name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tensors, cases, pixels = {}, {}, {}
    for case, (files, question) in CASES.items():
        content = [{"type": "image"} for _ in files] + [{"type": "text", "text": question}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        images = [pictures[file] for file in files] or None
        inputs = processor(text=[prompt], images=images, return_tensors="pt")
        grids = inputs["image_grid_thw"].tolist() if files else []
        length = inputs["input_ids"].shape[1]
        if files:
            positions, deltas = model.model.get_rope_index(
                inputs["input_ids"], inputs["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"]
            )
            positions, delta = positions[:, 0].tolist(), deltas.item()
        else:
            positions, delta = [list(range(length))] * 3, 0
        logits = model(**inputs).logits[0, -LOGITS_KEPT:]
        generated = model.generate(
            **inputs, do_sample=False, max_new_tokens=NEW_TOKENS, return_dict_in_generate=True, output_logits=True
        )
        steps = torch.cat(generated.logits)
        assert torch.allclose(steps[0], logits[-1], atol=1e-4)
        logprobs = torch.log_softmax(steps.double(), dim=-1)
        tokens = generated.sequences[0, length:].tolist()
        best = steps.topk(2).values
        gap = (best[:, 0] - best[:, 1]).min().item()
        if len(tokens) != NEW_TOKENS or gap < 2e-3:
            raise TossUp(f"{name}/{case}: {len(tokens)} tokens, smallest gap {gap:.5f}")
        tensors[f"logits.{case}"] = logits.contiguous()
        tensors[f"steps.{case}"] = steps[:, ::COLUMNS_KEPT].contiguous()
        cases[case] = {
            "pictures": files,
            "question": question,
            "prompt": prompt,
            "token_ids": inputs["input_ids"][0].tolist(),
            "grids": grids,
            "position_ids": positions,
            "rope_delta": delta,
            "greedy_tokens": tokens,
            "greedy_logprobs": [logprobs[i, token].item() for i, token in enumerate(tokens)],
            "greedy_text": processor.decode(tokens, skip_special_tokens=True),
            "smallest_gap": gap,
        }
        first = 0
        for file, (t, h, w) in zip(files, grids):
            pixels[file] = inputs["pixel_values"][first : first + t * h * w].clone()
            first += t * h * w
        print(f"{name}/{case}: {length} tokens, logits sd {logits.std():.2f}, gap {gap:.4f}")
    texts = []
    for text in TEXTS:
        ids = processor.tokenizer(text)["input_ids"]
        texts.append({"text": text, "token_ids": ids, "decoded": processor.tokenizer.decode(ids, skip_special_tokens=True)})
    save_file(tensors, out / f"{name}.safetensors")
    recorded = {
        "made_by": f"tests/parity/make_fixtures.py, weights of seed {seed}; torch {torch.__version__}, transformers {transformers.__version__}",
        "cases": cases,
        "texts": texts,
    }
    (out / f"{name}.json").write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    stored = out / "pixels.safetensors"
    if name != "v5":
        for file, values in load_file(stored).items():
            assert torch.equal(values, pixels[file]), f"{file}: the two layouts prepare it differently"
    save_file(pixels, stored)


if __name__ == "__main__":
    main()
