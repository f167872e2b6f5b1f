"""LangChain: the same prompts, its own batching."""

from collections.abc import Sequence

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage

from benchmarks.cost.asked import ANSWER_TOKENS_MAX, MODEL, SHARED_LAYERS, THINKING, Asked, answer_format
from benchmarks.cost.job import Job, Told

AT_ONCE = 16


def run(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """LangChain's `.batch` on its Anthropic model, 16 at a time."""
    model = ChatAnthropic(
        model=MODEL,
        base_url=job.base_url,
        api_key="bench",
        max_tokens=ANSWER_TOKENS_MAX,
        max_retries=0,
        thinking=THINKING,
        output_config={"format": answer_format()},
    )
    inputs = []
    for each in asked:
        system, user = each.blocks(SHARED_LAYERS)
        inputs.append([SystemMessage(content=system), HumanMessage(content=user)])
    with told.timed():
        model.batch(inputs, config={"max_concurrency": AT_ONCE})
