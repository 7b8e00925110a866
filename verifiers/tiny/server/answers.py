"""
Logits become an answer.

Log-probabilities are those of the model, over the whole vocabulary and before any constraint: what
vLLM returns by default (`logprobs_mode`, "raw_logprobs", vllm/config/model.py, 0.33.0).
"""

from typing import Any

import torch

from verifiers.tiny.server.prompts import Prompt
from verifiers.tiny.server.protocol import Answer, TokenScore


def answer_for(logits: torch.Tensor, prompt: Prompt, tokenizer: Any) -> Answer:
    """
    Return the most probable token among those allowed.

    Args:
        logits: Of the next token, shape (V,).

        prompt: Says which tokens are allowed and how many others are wanted.

        tokenizer: Tells how tokens read.
    """
    logprobs = logits.float().log_softmax(dim=-1)
    allowed = torch.tensor(prompt.allowed or range(len(logprobs)))
    chosen = int(allowed[logprobs[allowed].argmax()])
    best = [token for token in logprobs.topk(prompt.num_best).indices.tolist() if token != chosen]

    def score(token: int) -> TokenScore:
        return TokenScore(text=tokenizer.decode([token]), logprob=float(logprobs[token]))

    return Answer(
        text=tokenizer.decode([chosen], skip_special_tokens=True),
        is_end=chosen == tokenizer.eos_token_id,
        chosen=score(chosen),
        best=tuple(map(score, best)),
        prompt_tokens=len(prompt.input_ids),
    )
