#!/usr/bin/env python3
"""Golden numbers for the Java engine, from an implementation that shares no code with it.

A tiny BERT with one label is written out in plain torch, one sequence at a time, in float64. The parameters are drawn
once and rounded to float32, so the Java side starts from exactly the same values. README.md beside this file gives the
formulas, the files and the names in them.

    python3 make_golden.py            writes ../resources/golden; needs torch and numpy, nothing else
"""
import json
import math
import struct
from pathlib import Path

import numpy
import torch

OUT = Path(__file__).resolve().parent.parent / "resources" / "golden"

VOCAB, HIDDEN, LAYERS, HEADS, INTERMEDIATE, POSITIONS, TYPES = 61, 24, 2, 3, 40, 32, 2
LAYER_NORM_EPS = 1e-12
LENGTHS = [9, 1, 17, 5, 12, 3]          # packed sequences, in tokens
FIRST_PARTS = [4, 1, 6, 3, 5, 2]        # how many tokens of each have type 0; the others have type 1
GROUP_OFFSETS = [0, 4, 6]               # sequences 0..3 and 4..5; the first of each group is the positive

STEPS, RATE, END_RATE, POWER, WARMUP = 5, 2e-3, 1e-4, 1.0, 2
CLIP, DECAY, BETA1, BETA2, EPS, MOMENTUM = 1.0, 0.01, 0.9, 0.999, 1e-6, 0.9


# The model

def gelu(x):
    return 0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))


def gelu_new(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x ** 3)))


def relu(x):
    return torch.where(x > 0, x, torch.zeros_like(x))


ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_new, "relu": relu}


def shapes():
    """Every parameter's name and shape, in the order of the Hugging Face model."""
    s = {
        "bert.embeddings.word_embeddings.weight": (VOCAB, HIDDEN),
        "bert.embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "bert.embeddings.token_type_embeddings.weight": (TYPES, HIDDEN),
        "bert.embeddings.LayerNorm": (HIDDEN,),
    }
    for n in range(LAYERS):
        layer = f"bert.encoder.layer.{n}."
        for role in ("query", "key", "value"):
            s[layer + "attention.self." + role] = (HIDDEN, HIDDEN)
        s[layer + "attention.output.dense"] = (HIDDEN, HIDDEN)
        s[layer + "attention.output.LayerNorm"] = (HIDDEN,)
        s[layer + "intermediate.dense"] = (INTERMEDIATE, HIDDEN)
        s[layer + "output.dense"] = (HIDDEN, INTERMEDIATE)
        s[layer + "output.LayerNorm"] = (HIDDEN,)
    s["bert.pooler.dense"] = (HIDDEN, HIDDEN)
    s["classifier"] = (1, HIDDEN)
    full = {}
    for name, shape in s.items():
        if name.endswith("embeddings.weight"):
            full[name] = shape
        else:                                # a weight and a bias of its first axis
            full[name + ".weight"] = shape
            full[name + ".bias"] = shape[:1]
    return full


def draw(rng):
    """Parameters, each exactly representable in float32; layer norms too are random, so that a swapped one shows."""
    params = {}
    for name, shape in shapes().items():
        values = 0.2 * rng.standard_normal(shape)
        if name.endswith("LayerNorm.weight"):
            values += 1.0
        if name == "classifier.weight":
            values *= 5.0                    # spreads the logits
        params[name] = torch.tensor(values.astype(numpy.float32).astype(numpy.float64), requires_grad=True)
    return params


def layer_norm(x, p, name):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + LAYER_NORM_EPS) * p[name + ".weight"] + p[name + ".bias"]


def dense(x, p, name):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def encode(p, ids, types, activation):
    """One sequence alone, so padding and masks do not exist; returns its hidden states after each floor."""
    count, size = len(ids), HIDDEN // HEADS
    x = (p["bert.embeddings.word_embeddings.weight"][ids]
         + p["bert.embeddings.position_embeddings.weight"][:count]
         + p["bert.embeddings.token_type_embeddings.weight"][types])
    x = layer_norm(x, p, "bert.embeddings.LayerNorm")
    states = [x]
    for n in range(LAYERS):
        layer = f"bert.encoder.layer.{n}."
        query, key, value = (dense(x, p, layer + "attention.self." + role).view(count, HEADS, size).transpose(0, 1)
                             for role in ("query", "key", "value"))
        weights = torch.softmax(query @ key.transpose(1, 2) / math.sqrt(size), dim=-1)
        context = (weights @ value).transpose(0, 1).reshape(count, HIDDEN)
        x = layer_norm(dense(context, p, layer + "attention.output.dense") + x, p, layer + "attention.output.LayerNorm")
        inner = activation(dense(x, p, layer + "intermediate.dense"))
        x = layer_norm(dense(inner, p, layer + "output.dense") + x, p, layer + "output.LayerNorm")
        states.append(x)
    return states


def forward(p, batch, activation):
    offsets, states, logits = batch["offsets"], [], []
    for first, end in zip(offsets[:-1], offsets[1:]):
        own = encode(p, batch["ids"][first:end], batch["types"][first:end], activation)
        states.append(own)
        pooled = torch.tanh(dense(own[-1][:1], p, "bert.pooler.dense"))
        logits.append(dense(pooled, p, "classifier")[0, 0])
    packed = [torch.cat([own[i] for own in states]) for i in range(LAYERS + 1)]
    logits = torch.stack(logits)
    groups = batch["group_offsets"]
    losses = [torch.logsumexp(logits[a:b], 0) - logits[a] for a, b in zip(groups[:-1], groups[1:])]
    return packed, logits, torch.stack(losses).mean()


def gradients(p, batch, activation):
    packed, logits, loss = forward(p, batch, activation)
    return packed, logits, loss, dict(zip(p, torch.autograd.grad(loss, list(p.values()))))


def check_by_differences(p, batch, activation, grads, rng):
    """Central differences in a few entries of every parameter; the worst difference is returned."""
    worst, h = 0.0, 1e-6
    with torch.no_grad():
        for name, value in p.items():
            flat = value.view(-1)
            for i in rng.integers(0, flat.numel(), 3):
                kept = flat[i].item()
                flat[i] = kept + h
                up = forward(p, batch, activation)[2].item()
                flat[i] = kept - h
                down = forward(p, batch, activation)[2].item()
                flat[i] = kept
                worst = max(worst, abs((up - down) / (2 * h) - grads[name].reshape(-1)[i].item()))
    if worst > 1e-8:
        raise SystemExit(f"a gradient differs from its central difference by {worst:g}; more than 1e-8 is a mistake")
    return worst


# The optimizers; step t counts from 0

def rate(t):
    if t < WARMUP:
        return RATE * t / WARMUP
    return (RATE - END_RATE) * (1.0 - min(t, STEPS) / STEPS) ** POWER + END_RATE


def decayed(name):
    return not (name.endswith(".bias") or "LayerNorm" in name)


def lamb(t, name, p, g, state):
    wd = DECAY if decayed(name) else 0.0
    m = BETA1 * state["m"] + (1 - BETA1) * g
    v = BETA2 * state["v"] + (1 - BETA2) * g * g
    state["m"], state["v"] = m, v
    m, v = m / (1 - BETA1 ** (t + 1)), v / (1 - BETA2 ** (t + 1))
    ratio = 1.0
    if p.norm() > 0 and g.norm() > 0:
        ratio = p.norm() / (m / torch.sqrt(v + EPS) + wd * p).norm()
    ratio = min(max(float(ratio), 0.0), 10.0)
    return p - rate(t) * ratio * (m / (torch.sqrt(v) + EPS) + wd * p)


def adam_weight_decay(t, name, p, g, state):
    wd = DECAY if decayed(name) else 0.0
    state["m"] = BETA1 * state["m"] + (1 - BETA1) * g
    state["v"] = BETA2 * state["v"] + (1 - BETA2) * g * g
    return p - rate(t) * (state["m"] / (torch.sqrt(state["v"]) + EPS) + wd * p)


def momentum(t, name, p, g, state):
    state["m"] = MOMENTUM * state["m"] + g
    return p - rate(t) * state["m"]


OPTIMIZERS = {"lamb": lamb, "adam_weight_decay": adam_weight_decay, "momentum": momentum}


def train(start, batch, update):
    p = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
    state = {name: {"m": torch.zeros_like(v), "v": torch.zeros_like(v)} for name, v in p.items()}
    losses, norms = [], []
    for t in range(STEPS):
        _, _, loss, grads = gradients(p, batch, gelu)
        norm = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        factor = CLIP / norm if norm > CLIP else 1.0
        with torch.no_grad():
            p = {name: update(t, name, value, grads[name] * factor, state[name]) for name, value in p.items()}
        p = {name: value.requires_grad_() for name, value in p.items()}
        losses.append(loss.item())
        norms.append(norm)
    return p, losses, norms


# Files

def write_safetensors(path, tensors):
    """8 bytes little-endian header length, a JSON header padded with blanks to 8 bytes, then the tensors' bytes."""
    kinds = {"float32": "F32", "float64": "F64", "int32": "I32"}
    header, blobs, at = {}, [], 0
    for name, value in tensors.items():
        array = numpy.ascontiguousarray(value.detach().numpy() if torch.is_tensor(value) else value)
        blob = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": kinds[array.dtype.name], "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(f"{path.name:32s}{path.stat().st_size:8d} bytes")


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    rng = numpy.random.Generator(numpy.random.PCG64(20))
    p = draw(rng)
    count = sum(LENGTHS)
    ids = rng.integers(0, VOCAB, count)
    types = numpy.concatenate([[0] * a + [1] * (n - a) for a, n in zip(FIRST_PARTS, LENGTHS)])
    offsets = [0, *numpy.cumsum(LENGTHS).tolist()]
    batch = {"ids": torch.tensor(ids), "types": torch.tensor(types), "offsets": offsets, "group_offsets": GROUP_OFFSETS}

    config = {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "vocab_size": VOCAB,
        "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "intermediate_size": INTERMEDIATE, "max_position_embeddings": POSITIONS, "type_vocab_size": TYPES,
        "hidden_act": "gelu", "layer_norm_eps": LAYER_NORM_EPS, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02, "pad_token_id": 0,
        "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
    }
    (OUT / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_safetensors(OUT / "model.safetensors", {n: v.detach().numpy().astype(numpy.float32) for n, v in p.items()})
    i32 = {n: numpy.asarray(v, dtype=numpy.int32) for n, v in batch.items()}
    write_safetensors(OUT / "batch.safetensors", i32)

    for name, activation in ACTIVATIONS.items():
        packed, logits, loss, grads = gradients(p, batch, activation)
        worst = check_by_differences(p, batch, activation, grads, rng)
        print(f"{name}: loss {loss.item():.6f}, logits {numpy.round(logits.detach().numpy(), 3).tolist()}, "
              f"central differences within {worst:.1e}")
        out = {"logits": logits, "loss": loss.reshape(1)}
        out |= {f"hidden.{i}": x for i, x in enumerate(packed)}
        out |= {"grad." + n: g for n, g in grads.items()}
        write_safetensors(OUT / f"forward-backward-{name}.safetensors", out)

    for name, update in OPTIMIZERS.items():
        q, losses, norms = train(p, batch, update)
        print(f"{name}: losses {[round(x, 6) for x in losses]}, gradient norms {[round(x, 4) for x in norms]}")
        out = {"rates": numpy.array([rate(t) for t in range(STEPS)]), "losses": numpy.array(losses),
               "gradient_norms": numpy.array(norms)}
        write_safetensors(OUT / f"five-steps-{name}.safetensors", out | q)


if __name__ == "__main__":
    main()
