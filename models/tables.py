"""Every table, imported so that the metadata is whole (migrations compare themselves with it)."""

from models.ai_usage_log import AiUsageInsight, AiUsageLog
from models.base import metadata
from models.cache_prefix import CachePrefix
from models.coach import Coach
from models.coach_trust import CoachTrust, ThresholdWeek
from models.guardian import Guardian
from models.insight import Insight
from models.message_batch import BatchItem, MessageBatch
from models.organization import Organization
from models.player import Player
from models.prompt import Prompt
from models.quality_check import QualityCheck
from models.rate_limit import RateLimit
from models.rollup_coach_day import RollupCoachDay
from models.rollup_dirty_day import RollupDirtyDay
from models.rollup_organization_day import RollupOrganizationDay
from models.rollup_outcome_day import RollupOutcomeDay
from models.rollup_platform_day import RollupPlatformDay
from models.rollup_player_day import RollupPlayerDay
from models.rollup_run import RollupDay, RollupRun
from models.setting import Setting, SettingChange
from models.summary import Summary
from models.summary_event import SummaryEventRow
from models.summary_run import SummaryRun
from models.token_count import TokenCount, TokenRatio

__all__ = [
    "AiUsageInsight",
    "AiUsageLog",
    "BatchItem",
    "CachePrefix",
    "Coach",
    "CoachTrust",
    "Guardian",
    "Insight",
    "MessageBatch",
    "Organization",
    "Player",
    "Prompt",
    "QualityCheck",
    "RateLimit",
    "RollupCoachDay",
    "RollupDay",
    "RollupDirtyDay",
    "RollupOrganizationDay",
    "RollupOutcomeDay",
    "RollupPlatformDay",
    "RollupPlayerDay",
    "RollupRun",
    "Setting",
    "SettingChange",
    "Summary",
    "SummaryEventRow",
    "SummaryRun",
    "ThresholdWeek",
    "TokenCount",
    "TokenRatio",
    "metadata",
]
