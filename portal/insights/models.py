"""Reports that were made and stay as they were."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class ReportKind(StrEnum):
    DAY = "DAY"
    MONTH = "MONTH"


class Report(Base):
    """The business in a day or a month (Jakarta): counts, and sums in whole rupiah."""

    __tablename__ = "report"

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    begins_on: Mapped[date] = mapped_column(primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_at: Mapped[datetime]
