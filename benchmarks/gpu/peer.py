#!/usr/bin/env python3
"""PyTorch's time for what `dyr bench` times: training steps and inference of a BERT-base cross-encoder in bf16.

    peer.py [--seconds N] train:8x512 train:576x512 train:lengths.txt infer:512x128 attention:128x512 ...
    peer.py --check        one tiny step on the CPU

Work is MODE:SxL, or MODE:FILE with the lengths of sequences. Groups of 8, one positive first. Where lengths differ,
batches are sorted by length and padded to their longest. Training: bf16 autocast over fp32 weights, dropout 0.1,
gradients clipped to norm 1, fused AdamW. Inference: bf16 weights. `compiled` is torch.compile of every encoder layer,
which share one compilation: the whole model's would take a minute a row. Attention: a layer's alone, with dropout,
forward and backward, in TFLOP/s of two and of five products. Rows are Markdown, as those of run.sh.
"""
import argparse
import os
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

GROUP = 8
HEADS = 12
HEAD = 64
DROPOUT = 0.1
VOCABULARY = 30522
ALIGN = 8  # lengths of padded batches: what tensor cores and masks of attention like


class Layer(nn.Module):
    """An encoder layer: attention and feed-forward, each with dropout, residual and layer norm after it."""

    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.norm1 = nn.LayerNorm(hidden, eps=1e-12)
        self.up = nn.Linear(hidden, 4 * hidden)
        self.down = nn.Linear(4 * hidden, hidden)
        self.norm2 = nn.LayerNorm(hidden, eps=1e-12)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x, mask):  # x (B,T,C); mask (B,1,1,T), true where a token is, or None
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)  # (B,H,T,D)
        p = DROPOUT if self.training else 0.0
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)
        x = self.norm1(x + self.drop(self.out(a.transpose(1, 2).reshape(b, t, c))))
        return self.norm2(x + self.drop(self.down(F.gelu(self.up(x)))))


class CrossEncoder(nn.Module):
    """BERT with a pooler over [CLS] and one logit."""

    def __init__(self, layers, hidden, heads, positions):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, hidden)
        self.positions = nn.Embedding(positions, hidden)
        self.segments = nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden, eps=1e-12)
        self.layers = nn.ModuleList(Layer(hidden, heads) for _ in range(layers))
        self.pooler = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, 1)
        self.drop = nn.Dropout(DROPOUT)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, segments, mask):  # ids, segments (B,T)
        place = torch.arange(ids.shape[1], device=ids.device)
        x = self.drop(self.norm(self.words(ids) + self.positions(place) + self.segments(segments)))
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(self.drop(torch.tanh(self.pooler(x[:, 0])))).squeeze(-1)


def lengths_of(shape):
    if os.path.exists(shape):
        with open(shape) as file:
            return [int(n) for n in file.read().split()]
    count, length = shape.split("x")
    return [int(length)] * int(count)


def batches(lengths, unit, budget, pin):
    """Cuts runs of `unit` sequences, sorted by their longest, into batches of at most `budget` tokens with padding."""
    units = sorted((lengths[i:i + unit] for i in range(0, len(lengths), unit)), key=max, reverse=True)
    cut, at = [], 0
    while at < len(units):
        longest = -(-max(units[at]) // ALIGN) * ALIGN
        take = max(1, budget // (longest * unit))
        cut.append(batch([n for u in units[at:at + take] for n in u], longest, pin))
        at += take
    return cut


def batch(lengths, longest, pin):
    n = torch.tensor(lengths)[:, None]
    place = torch.arange(longest)[None, :]
    ids = torch.randint(0, VOCABULARY, (len(lengths), longest))
    segments = ((place >= n // 4) & (place < n)).long()
    mask = None if min(lengths) == longest else (place < n)[:, None, None, :]
    return [t.pin_memory() if pin and t is not None else t for t in (ids, segments, mask)]


def training(model, optimizer, data, device, groups):
    def step():
        for one in data:
            ids, segments, mask = (t if t is None else t.to(device, non_blocking=True) for t in one)
            with torch.autocast(device, dtype=torch.bfloat16):
                scores = model(ids, segments, mask).view(-1, GROUP)  # a group a row, the positive first
            target = torch.zeros(len(scores), dtype=torch.long, device=device)
            loss = F.cross_entropy(scores.float(), target, reduction="sum") / groups
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss
    return step


def inference(model, data, device):
    @torch.inference_mode()
    def step():
        scores = [model(*(t if t is None else t.to(device, non_blocking=True) for t in one)) for one in data]
        return torch.cat(scores).float().cpu()
    return step


def prepared(mode, lengths, budget, compiled, size, device):
    """The step to time. A function of its own, so that what a failed try held is free for the next."""
    pin = device == "cuda"
    model = CrossEncoder(*size).to(device)
    if compiled:
        for layer in model.layers:
            layer.compile(dynamic=len(set(lengths)) > 1)
    if mode == "train":
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, weight_decay=0.01, fused=True)
        return training(model, optimizer, batches(lengths, GROUP, budget, pin), device, len(lengths) // GROUP)
    model.eval().to(torch.bfloat16)
    return inference(model, batches(lengths, 1, budget, pin), device)


def measured(step, warm_up, steps):
    """Milliseconds of each step, by events on the card."""
    for _ in range(warm_up):
        step()
    millis = []
    for _ in range(steps):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        step()
        end.record()
        end.synchronize()
        millis.append(begin.elapsed_time(end))
    return millis


def row(work, compiled, budget):
    mode, shape = work.split(":", 1)
    lengths = lengths_of(shape)
    size = (12, HEADS * HEAD, HEADS, 512)
    while True:
        try:
            millis = measured(prepared(mode, lengths, budget, compiled, size, "cuda"), 3, 5)
            break
        except torch.OutOfMemoryError:
            if budget <= 4096:
                raise
            budget //= 2
        torch.cuda.empty_cache()
    median = statistics.median(millis)
    engine = "PyTorch %s %s, %d" % (torch.__version__.split("+")[0], "compiled" if compiled else "eager", budget)
    print("| %s | %s %s | bf16 | %.1f | %s |" % (engine, mode, os.path.basename(shape), median,
                                               format(round(sum(lengths) / median * 1e3), ",")), flush=True)


def attention(shape):
    sequences, length = (int(n) for n in shape.split("x"))
    q, k, v = (torch.randn(sequences, HEADS, length, HEAD, device="cuda", dtype=torch.bfloat16, requires_grad=True)
               for _ in range(3))
    out = F.scaled_dot_product_attention(q, k, v, dropout_p=DROPOUT)
    gradient = torch.randn_like(out)

    def forward():
        F.scaled_dot_product_attention(q, k, v, dropout_p=DROPOUT)

    def backward():
        torch.autograd.grad(out, (q, k, v), gradient, retain_graph=True)
    for name, step, products in (("forward", forward, 2), ("backward", backward, 5)):
        millis = statistics.median(measured(step, 5, 20))
        rate = products * 2 * sequences * HEADS * length * length * HEAD / millis / 1e9
        print("| PyTorch %s | attention %s %s | bf16 | %.3f | %.0f TFLOP/s |"
              % (torch.__version__.split("+")[0], shape, name, millis, rate), flush=True)


def check():
    lengths = [9, 16, 3, 8, 16, 5, 7, 12] * 2
    for mode in ("train", "infer"):
        step = prepared(mode, lengths, 128, False, (2, 32, 2, 16), "cpu")
        out = [step(), step()][-1]
        assert torch.isfinite(out).all(), out
    print("PyTorch %s: a step and a batch of inference ran on the CPU" % torch.__version__)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("works", nargs="*", metavar="MODE:SHAPE")
    options.add_argument("--seconds", type=float, default=1e9, help="start no row after so many")
    options.add_argument("--token-budget", type=int, default=65536, help="tokens of a batch; halved until it fits")
    options.add_argument("--check", action="store_true", help="one tiny step on the CPU")
    given = options.parse_args()
    torch.manual_seed(42)
    if given.check:
        return check()
    begin = time.monotonic()
    print("| engine | work | compute | ms | tokens/s |\n|---|---|---|---:|---:|")
    for work in given.works:
        kind, shape = work.split(":", 1)
        if kind == "attention":
            attention(shape)
            continue
        for compiled in (True, False):  # what is faster comes first, should the time be over
            name = "%s %s" % (work, "compiled" if compiled else "eager")
            if time.monotonic() - begin > given.seconds:
                print("%s: left out, the time is over" % name)
                continue
            torch.compiler.reset()
            torch.cuda.empty_cache()
            try:
                row(work, compiled, given.token_budget)
            except Exception as e:  # a row that fails is told of, and the next one runs
                print("%s: %s" % (name, str(e).strip().split("\n")[0]), flush=True)


if __name__ == "__main__":
    main()
