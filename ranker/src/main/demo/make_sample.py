#!/usr/bin/env python3
"""Writes the sample that `dyr demo` trains on, and its vocabulary, from the wordings in `towns.py` beside it.

    python3 make_sample.py          plain Python 3, nothing to install; a second run writes the same bytes

Forty-eight towns are invented. Each has eight passages, one an aspect (place, history, food, ...), and a question asks
for one aspect of one town in words of its own. Half of the towns are the training part and half the test part, so the
two share no question, no passage and no name; the ways of wording a question or a passage are shared. A question's pool
is 30 passages of its part in shuffled order: the one that answers, the seven others about the town, the three on the
same aspect of other towns that a word search likes best, and of all others the nine it likes best and ten at random.
"""
import math
import random
import re
from collections import Counter
from pathlib import Path

import towns

OUT = Path(__file__).resolve().parent.parent / "resources" / "org" / "dyr" / "ranker" / "demo"

TOWNS, POOL = 48, 30
QUESTIONS = {"train": 2, "test": 1}     # for each aspect of a town
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
MARKS = ".,;:?!'\"-()&/%$"


def make_names():
    """Names of a start and an ending; each of these pieces is in the first half, which is the training part."""
    count, kinds = len(towns.STARTS), len(towns.ENDINGS)
    return [towns.STARTS[i % count] + towns.ENDINGS[(i + i // count) % kinds] for i in range(TOWNS)]


def fill(text, values):
    """Puts the values in and begins every sentence with a capital."""
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text.format(**values))


def write_passages(rng, names):
    """(town, aspect) -> passage; each of an aspect's wordings is used equally often."""
    facts = {name: {slot: rng.choice(values) for slot, values in towns.SLOTS.items()} for name in names}
    passages = {}
    for aspect, (openings, continuations, _) in towns.ASPECTS.items():
        pairs = [(opening, continuation) for opening in openings for continuation in continuations]
        rng.shuffle(pairs)
        for i, name in enumerate(names):
            opening, continuation = pairs[i % len(pairs)]
            passages[name, aspect] = fill(opening + " " + continuation, facts[name] | {"N": name})
    return passages


def write_questions(rng, names, per_pair):
    """[(question, (town, aspect))]; each of an aspect's wordings is used about equally often."""
    questions = []
    for aspect, (_, _, wordings) in towns.ASPECTS.items():
        order = []
        for name in names:
            if len(order) < per_pair:
                order = rng.sample(wordings, len(wordings))
            questions += [(fill(order.pop(), {"N": name}), (name, aspect)) for _ in range(per_pair)]
    rng.shuffle(questions)
    return questions


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


class WordSearch:
    """BM25 (k1 0.9, b 0.4) over all passages; it makes the pools hard."""

    def __init__(self, texts):
        self.counts = {key: Counter(words(text)) for key, text in texts.items()}
        self.mean = sum(sum(c.values()) for c in self.counts.values()) / len(texts)
        seen = Counter(word for c in self.counts.values() for word in c)
        self.idf = {w: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for w, n in seen.items()}

    def score(self, question, key):
        count = self.counts[key]
        norm = 0.9 * (0.6 + 0.4 * sum(count.values()) / self.mean)
        found = sorted(set(words(question)) & count.keys())
        return sum(self.idf[w] * count[w] * 1.9 / (count[w] + norm) for w in found)


def make_pool(rng, search, question, answer, part):
    name, aspect = answer
    own = [key for key in part if key[0] == name]
    others = [key for key in part if key[0] != name]
    rng.shuffle(others)                     # so that ties are broken by chance
    others.sort(key=lambda key: -search.score(question, key))
    same = [key for key in others if key[1] == aspect]
    rest = [key for key in others if key[1] != aspect]
    pool = own + same[:3] + rest[:9]
    pool += rng.sample(rest[9:], POOL - len(pool))
    rng.shuffle(pool)
    return pool


def make_vocabulary(texts):
    """Special tokens, marks, single characters (first in a word, and after it), pieces of names, all other words."""
    starts, endings = [s.lower() for s in towns.STARTS], towns.ENDINGS
    name = re.compile("(" + "|".join(starts) + ")(" + "|".join(endings) + ")")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *MARKS, *LETTERS, *("##" + c for c in LETTERS)]
    tokens += [*starts, *("##" + ending for ending in endings)]
    tokens += sorted({w for text in texts for w in words(text) if not name.fullmatch(w)})
    return list(dict.fromkeys(tokens))


def check(texts, questions):
    for text in texts.values():
        assert 15 <= len(text.split()) <= 40, text
    for question, _ in questions:
        assert 5 <= len(question.split()) <= 12, question
    assert len({question for question, _ in questions}) == len(questions), "a question occurs twice"
    assert len(set(texts.values())) == len(texts), "a passage occurs twice"


def main():
    rng = random.Random(5)
    names = make_names()
    texts = write_passages(rng, names)
    split = {"train": names[:TOWNS // 2], "test": names[TOWNS // 2:]}
    questions = {part: write_questions(rng, own, QUESTIONS[part]) for part, own in split.items()}
    check(texts, questions["train"] + questions["test"])

    keys = list(texts)
    rng.shuffle(keys)                       # so that an id says nothing
    pid = {key: str(i + 1) for i, key in enumerate(keys)}
    search = WordSearch(texts)
    OUT.mkdir(parents=True, exist_ok=True)

    def write(name, lines):
        (OUT / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    write("collection.tsv", [f"{pid[key]}\t{texts[key]}" for key in keys])
    asked_so_far = 0
    for part, own in split.items():
        inside = [(name, aspect) for name in own for aspect in towns.ASPECTS]
        asked, judged, offered = [], [], []
        for qid, (question, answer) in enumerate(questions[part], asked_so_far + 1):
            asked.append(f"q{qid}\t{question}")
            judged.append(f"q{qid}\t0\t{pid[answer]}\t1")
            offered += [f"q{qid}\t{pid[key]}" for key in make_pool(rng, search, question, answer, inside)]
        asked_so_far += len(asked)
        write(f"queries.{part}.tsv", asked)
        write(f"qrels.{part}.tsv", judged)
        write(f"candidates.{part}.tsv", offered)
    all_questions = [question for part in questions.values() for question, _ in part]
    write("vocab.txt", make_vocabulary([*texts.values(), *all_questions]))


if __name__ == "__main__":
    main()
