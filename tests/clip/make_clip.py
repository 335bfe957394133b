#!/usr/bin/env python3
"""Makes the fixtures of this folder: a small CLIP with random weights in both namings, what PyTorch computes with it,
pictures as Pillow decodes and resizes them, and token ids of CLIP's byte-pair encoding.

Needs Debian's python3-torch, python3-pil, python3-regex, python3-numpy. Run: python3 tests/clip/make_clip.py
The model follows Radford et al. 2021 and Dosovitskiy et al. 2021; the tokenizer the published description of CLIP's:
lower case, words by the pattern below, GPT-2's spelling of bytes, </w> at the end of a word.
"""
import json
import math
import os
import struct
from collections import Counter

import numpy as np
import regex
import torch
import torch.nn.functional as F
from PIL import Image

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(5)
torch.set_default_dtype(torch.float64)

image_size, patch, image_width, image_layers, image_heads = 16, 8, 32, 2, 2
length, text_width, text_layers, text_heads, dim = 12, 24, 2, 3, 20


def save(path, tensors, metadata=None):
    names = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.int64: "I64", torch.uint8: "U8"}
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name in sorted(tensors, key=lambda n: -tensors[n].element_size()):
        t = tensors[name].contiguous()
        raw = t.numpy().tobytes()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


# --- Tokenizer -------------------------------------------------------------------------------------------------------
def bytes_to_unicode():
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {b: chr(b) for b in printable}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            extra += 1
    ordered = [table[b] for b in printable] + [table[b] for b in range(256) if b not in printable]
    return table, ordered


spelling, ordered = bytes_to_unicode()
pattern = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)


def symbols(word):
    s = [spelling[b] for b in word.encode()]
    return tuple(s[:-1] + [s[-1] + "</w>"])


def merge(word, pair):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


corpus = ("a photo of a red cat and a photo of a blue dog the quick brown fox it's we'll they've été naïve Größe "
          "photograph photographs of cats and dogs 北京 東京 the the and of").lower()
words = Counter(symbols(w) for w in pattern.findall(corpus))
merges = []
for _ in range(60):
    pairs = Counter()
    for word, n in words.items():
        for pair in zip(word, word[1:]):
            pairs[pair] += n
    best = max(pairs, key=lambda p: (pairs[p], p))
    merges.append(best)
    words = Counter({merge(w, best): n for w, n in words.items()})
with open(os.path.join(here, "merges.txt"), "w") as f:
    f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))

vocabulary = ordered + [s + "</w>" for s in ordered] + [a + b for a, b in merges] + ["<|startoftext|>", "<|endoftext|>"]
ids = {token: i for i, token in enumerate(vocabulary)}


def encode(text):
    out = []
    for w in pattern.findall(" ".join(text.split()).lower()):
        word = symbols(w)
        while len(word) > 1:
            ranked = [(merges.index(p), p) for p in zip(word, word[1:]) if p in merges]
            if not ranked:
                break
            word = merge(word, min(ranked)[1])
        out += [ids[s] for s in word]
    return out


texts = ["a photo of a cat", "A  Photograph of\tDOGS!", "it's we'll THEY'VE don't 'start", "été naïve Größe 北京", "2026: 10% off...",
         "", "🙂 emoji ½ ²", "!!'s"]
with open(os.path.join(here, "tokens.json"), "w") as f:
    json.dump([{"text": t, "tokens": encode(t)} for t in texts], f, ensure_ascii=False, indent=0)
    f.write("\n")

# --- Model -----------------------------------------------------------------------------------------------------------
weights = {}


def parameter(name, *shape, std=None, mean=0.0):
    # Exact in half precision, so that both files hold the same numbers.
    t = mean + torch.randn(*shape) * (std if std is not None else shape[-1] ** -0.5)
    weights[name] = t.half().double()


def tower(prefix, width, layers):
    for i in range(layers):
        p = f"{prefix}transformer.resblocks.{i}."
        for norm in ("ln_1", "ln_2"):
            parameter(p + norm + ".weight", width, std=0.2, mean=1.0)
            parameter(p + norm + ".bias", width, std=0.2)
        parameter(p + "attn.in_proj_weight", 3 * width, width)
        parameter(p + "attn.in_proj_bias", 3 * width, std=0.2)
        parameter(p + "attn.out_proj.weight", width, width)
        parameter(p + "attn.out_proj.bias", width, std=0.2)
        parameter(p + "mlp.c_fc.weight", 4 * width, width)
        parameter(p + "mlp.c_fc.bias", 4 * width, std=0.2)
        parameter(p + "mlp.c_proj.weight", width, 4 * width)
        parameter(p + "mlp.c_proj.bias", width, std=0.2)


def norm_parameters(name, width):
    parameter(name + ".weight", width, std=0.2, mean=1.0)
    parameter(name + ".bias", width, std=0.2)


parameter("visual.conv1.weight", image_width, 3, patch, patch, std=(3 * patch * patch) ** -0.5)
parameter("visual.class_embedding", image_width, std=0.5)
parameter("visual.positional_embedding", 1 + (image_size // patch) ** 2, image_width, std=0.5)
norm_parameters("visual.ln_pre", image_width)
tower("visual.", image_width, image_layers)
norm_parameters("visual.ln_post", image_width)
parameter("visual.proj", image_width, dim, std=image_width ** -0.5)
parameter("token_embedding.weight", len(vocabulary), text_width, std=0.5)
parameter("positional_embedding", length, text_width, std=0.5)
tower("", text_width, text_layers)
norm_parameters("ln_final", text_width)
parameter("text_projection", text_width, dim, std=text_width ** -0.5)
weights["logit_scale"] = torch.tensor(2.5).half().double()


def norm(x, name):
    return F.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"])


def blocks(x, prefix, layers, heads, causal):
    b, t, w = x.shape
    for i in range(layers):
        p = f"{prefix}transformer.resblocks.{i}."
        qkv = F.linear(norm(x, p + "ln_1"), weights[p + "attn.in_proj_weight"], weights[p + "attn.in_proj_bias"])
        q, k, v = (z.view(b, t, heads, w // heads).transpose(1, 2) for z in qkv.chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(w // heads)
        if causal:
            scores = scores + torch.full((t, t), -math.inf).triu(1)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, w)
        x = x + F.linear(y, weights[p + "attn.out_proj.weight"], weights[p + "attn.out_proj.bias"])
        h = F.linear(norm(x, p + "ln_2"), weights[p + "mlp.c_fc.weight"], weights[p + "mlp.c_fc.bias"])
        x = x + F.linear(h * torch.sigmoid(1.702 * h), weights[p + "mlp.c_proj.weight"], weights[p + "mlp.c_proj.bias"])
    return x


def encode_image(pixels):
    x = F.conv2d(pixels, weights["visual.conv1.weight"], stride=patch).flatten(2).transpose(1, 2)
    x = torch.cat([weights["visual.class_embedding"].expand(x.shape[0], 1, -1), x], 1)
    x = norm(x + weights["visual.positional_embedding"], "visual.ln_pre")
    x = blocks(x, "visual.", image_layers, image_heads, False)
    return norm(x[:, 0], "visual.ln_post") @ weights["visual.proj"]


def encode_text(tokens):
    x = weights["token_embedding.weight"][tokens] + weights["positional_embedding"]
    x = norm(blocks(x, "", text_layers, text_heads, True), "ln_final")
    return x[torch.arange(len(tokens)), tokens.argmax(-1)] @ weights["text_projection"]


def framed(text):
    t = [ids["<|startoftext|>"]] + encode(text)[: length - 2] + [ids["<|endoftext|>"]]
    return t + [0] * (length - len(t))


# --- Pictures: as CLIP prepares them ----------------------------------------------------------------------------------
rng = np.random.RandomState(3)
os.makedirs(os.path.join(here, "pictures"), exist_ok=True)


def picture(name, height, width, mode="RGB", **options):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (3 + c) + c) + np.cos(y / (4 - c) - c) for c in range(4)]
    a = np.clip(127 + 60 * np.stack(waves, -1) + rng.randint(-20, 20, (height, width, 4)), 0, 255).astype(np.uint8)
    channels = {"RGB": a[..., :3], "RGBA": a, "L": a[..., 0], "LA": a[..., :2], "CMYK": a}
    if mode == "P":
        image = Image.fromarray(a[..., :3]).quantize(32)
    else:
        image = Image.fromarray(channels[mode], mode)
    image.save(os.path.join(here, "pictures", name), **options)


picture("rgb.png", 40, 61)
picture("alpha.png", 33, 20, "RGBA")
picture("grey.png", 18, 50, "L")
picture("grey_alpha.png", 17, 17, "LA")
picture("palette.png", 30, 24, "P")
picture("one.png", 1, 1)
picture("wide.png", 3, 200)
picture("photo.jpg", 45, 64, quality=80)
picture("progressive.jpg", 50, 37, quality=60, progressive=True)
picture("grey.jpg", 21, 40, "L")
Image.fromarray((rng.rand(20, 23) * 65535).astype(np.uint16)).save(os.path.join(here, "pictures", "sixteen.png"))
picture("cmyk.jpg", 19, 26, "CMYK")

expected, pixels = {}, []
names = [n for n in sorted(os.listdir(os.path.join(here, "pictures"))) if n not in ("sixteen.png", "cmyk.jpg")]
mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
for name in names:
    image = Image.open(os.path.join(here, "pictures", name)).convert("RGB")
    expected["rgb." + name] = torch.from_numpy(np.array(image).copy())
    w, h = image.size
    size = (image_size, int(image_size * h / w)) if w <= h else (int(image_size * w / h), image_size)
    image = image.resize(size, Image.BICUBIC)
    top, left = int(round((size[1] - image_size) / 2)), int(round((size[0] - image_size) / 2))
    image = image.crop((left, top, left + image_size, top + image_size))
    expected["resized." + name] = torch.from_numpy(np.array(image).copy())
    pixels.append(torch.from_numpy(((np.array(image) / 255.0 - mean) / std).transpose(2, 0, 1).copy()))
expected["image_vectors"] = encode_image(torch.stack(pixels)).float()
expected["text_vectors"] = encode_text(torch.tensor([framed(t) for t in texts])).float()
save(os.path.join(here, "expected.safetensors"), expected, {"names": json.dumps(names)})

# --- Both namings -----------------------------------------------------------------------------------------------------
save(os.path.join(here, "openai", "model.safetensors"), {n: w.float() for n, w in weights.items()})
with open(os.path.join(here, "openai", "open_clip_config.json"), "w") as f:
    json.dump({"model_cfg": {"embed_dim": dim, "quick_gelu": True, "vision_cfg": {"head_width": image_width // image_heads},
                             "text_cfg": {"heads": text_heads}}}, f)
    f.write("\n")

renamed = {}
for name, w in weights.items():
    image = name.startswith("visual.")
    n = name[len("visual."):] if image else name
    model = "vision_model." if image else "text_model."
    w = w.half()
    if n in ("proj", "text_projection"):
        renamed["visual_projection.weight" if image else "text_projection.weight"] = w.t()
    elif n == "logit_scale":
        renamed[n] = w
    elif "attn.in_proj" in n:
        base = n.replace("transformer.resblocks.", "encoder.layers.")
        for part, z in zip("qkv", w.chunk(3, 0)):
            renamed[model + base.replace("attn.in_proj_", f"self_attn.{part}_proj.")] = z
    else:
        for a, b in (("transformer.resblocks.", "encoder.layers."), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"),
                     ("attn.out_proj", "self_attn.out_proj"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
                     ("conv1", "embeddings.patch_embedding"), ("class_embedding", "embeddings.class_embedding"),
                     ("positional_embedding", "embeddings.position_embedding.weight"), ("ln_pre", "pre_layrnorm"),
                     ("ln_post", "post_layernorm"), ("token_embedding", "embeddings.token_embedding"),
                     ("ln_final", "final_layer_norm")):
            n = n.replace(a, b)
        renamed[model + n] = w
renamed["text_model.embeddings.position_ids"] = torch.arange(length)[None]
save(os.path.join(here, "hugging_face", "model.safetensors"), renamed)
with open(os.path.join(here, "hugging_face", "config.json"), "w") as f:
    json.dump({"model_type": "clip", "text_config": {"num_attention_heads": text_heads, "hidden_act": "quick_gelu"},
               "vision_config": {"num_attention_heads": image_heads, "hidden_act": "quick_gelu"}}, f)
    f.write("\n")
