"""A small language model for experiments: a GPT-2 shape pre-trained for minutes on lines of question/answer pairs.

Knows nothing of what is done with it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

END = 1


def pretrain(path: Path, folder: Path, minutes: float) -> None:
    """The small base: byte-level BPE of 2,000 and a GPT-2 of 4 × 128, until `minutes` of CPU time are spent."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from training.gan.frozen import fuse_activations

    pairs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [text for pair in pairs for text in (pair["question"], pair["answer"])]
    random.Random(0).shuffle(lines)
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=["<pad>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(lines, trainer)
    make: Any = PreTrainedTokenizerFast
    make(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>").save_pretrained(folder)
    stream = torch.tensor([token for line in lines for token in [*raw.encode(" " + line).ids, END]])
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=2000, n_embd=128, n_layer=4, n_head=4, n_positions=256, bos_token_id=None, eos_token_id=END
    )
    model = GPT2LMHeadModel(config)
    model.set_attn_implementation("eager")
    fuse_activations(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.05)
    begun, done, step = time.process_time(), 0.0, 0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, 0.02 + step / 50, 1.02 - done)
        starts = torch.randint(len(stream) - 97, (24,))
        batch = torch.stack([stream[start : start + 96] for start in starts.tolist()])
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        done, step = (time.process_time() - begun) / 60 / minutes, step + 1
        if step % 50 == 0:
            print(f"pre-training {100 * done:.0f} %, loss {float(loss.detach()):.3f}", file=sys.stderr, flush=True)
    model.save_pretrained(folder)
