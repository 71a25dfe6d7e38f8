"""Reports that were made and stay as they were, and the business summed up day by day."""

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


class BusinessDay(Base):
    """The business in one calendar day (Jakarta), by the names of `portal/insights/days.py`: what happened in it, and
    what stood at its end. It can be made again from the books; slots and the forecast alone are as they were seen."""

    __tablename__ = "business_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_at: Mapped[datetime]
