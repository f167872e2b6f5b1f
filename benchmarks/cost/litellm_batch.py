"""LiteLLM: the same prompts, its own batching."""

from collections.abc import Sequence
from typing import Any

import litellm

from benchmarks.cost.asked import ANSWER_TOKENS_MAX, MODEL, SHARED_LAYERS, THINKING, Asked, answer_format
from benchmarks.cost.job import Job, Told

ROUNDS_MAX = 3

Messages = list[dict[str, Any]]


def run(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """LiteLLM's `batch_completion`, as many at once as it likes.

    Over 20,000 calls its threads lose an answer or two ("Bad file descriptor"): these are asked for again.
    """
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    inputs: list[Messages] = []
    for each in asked:
        system, user = each.blocks(SHARED_LAYERS)
        inputs.append([{"role": "system", "content": system}, {"role": "user", "content": user}])
    with told.timed():
        for _ in range(ROUNDS_MAX):
            answers = _batch(job, inputs)
            failed = [place for place, answer in enumerate(answers) if isinstance(answer, Exception)]
            if not failed:
                return
            inputs = [inputs[place] for place in failed]
    raise answers[failed[0]]


def _batch(job: Job, inputs: list[Messages]) -> list[Any]:
    answers: list[Any] = litellm.batch_completion(
        model=f"anthropic/{MODEL}",
        messages=inputs,
        api_base=job.base_url,
        api_key="bench",
        max_tokens=ANSWER_TOKENS_MAX,
        max_retries=0,
        thinking=THINKING,
        output_config={"format": answer_format()},
    )
    return answers
