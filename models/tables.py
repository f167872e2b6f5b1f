"""Every table, imported so that the metadata is whole (migrations compare themselves with it)."""

from models.ai_usage_log import AiUsageInsight, AiUsageLog
from models.base import metadata
from models.cache_prefix import CachePrefix
from models.coach import Coach
from models.guardian import Guardian
from models.insight import Insight
from models.organization import Organization
from models.player import Player
from models.prompt import Prompt
from models.rate_limit import RateLimit
from models.rollup_dirty_day import RollupDirtyDay
from models.summary import Summary
from models.summary_run import SummaryRun
from models.token_count import TokenCount, TokenRatio

__all__ = [
    "AiUsageInsight",
    "AiUsageLog",
    "CachePrefix",
    "Coach",
    "Guardian",
    "Insight",
    "Organization",
    "Player",
    "Prompt",
    "RateLimit",
    "RollupDirtyDay",
    "Summary",
    "SummaryRun",
    "TokenCount",
    "TokenRatio",
    "metadata",
]
