"""The forms of the catalog as an operator edits it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, Regexp

from portal.catalog.models import Interval, Plan, PlanType, Service
from portal.catalog.stocking import PlanWish, ServiceWish
from portal.core.words import sound
from portal.web.forms import PortalForm

REQUIRED = _l("Fill this in.")
SLUG = Regexp(r"^[a-z]([a-z0-9-]{0,58}[a-z0-9])?$", message=_l("Small letters, digits and hyphens, a letter first."))
TAG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
TAGS_MAX, FEATURES_MAX = 12, 12
AMOUNT_MAX = 1_000_000_000


def _text(label: Any, length_max: int, *more: Any, area: bool = False) -> Any:
    kind = TextAreaField if area else StringField
    return kind(label, [DataRequired(REQUIRED), Length(max=length_max), *more], filters=[sound])


def _number(label: Any, least: int, most: int) -> IntegerField:
    return IntegerField(label, [InputRequired(REQUIRED), NumberRange(least, most)])


class CategoryForm(PortalForm):
    name_en = _text(_l("Name in English"), 60)
    name_id = _text(_l("Name in Indonesian"), 60)
    sort_order = IntegerField(_l("Place in the order"), [Optional(), NumberRange(0, 1000)])

    @property
    def name(self) -> dict[str, str]:
        return {"en": self.name_en.data, "id": self.name_id.data}


class NewCategoryForm(CategoryForm):
    slug = _text(_l("Address"), 60, SLUG)


class ServiceForm(PortalForm):
    name = _text(_l("Name"), 100)
    category = SelectField(_l("Category"))
    description_en = _text(_l("In one line, English"), 200)
    description_id = _text(_l("In one line, Indonesian"), 200)
    long_description_en = _text(_l("Description, English"), 4000, area=True)
    long_description_id = _text(_l("Description, Indonesian"), 4000, area=True)
    documentation_url = StringField(
        _l("Documentation"),
        [Optional(), Length(max=300), Regexp(r"^https://\S+$", message=_l("An address that begins with https://"))],
        filters=[sound],
    )
    tags = StringField(_l("Tags"), [Length(max=600)], filters=[sound])
    featured = BooleanField(_l("Shown first, and on the home page"))
    sort_order = _number(_l("Place in the order"), 0, 1000)

    def show(self, service: Service) -> None:
        """Fills the form with what stands in the catalog."""
        for name in ("name", "documentation_url", "featured", "sort_order"):
            self[name].data = getattr(service, name)
        for name in ("description", "long_description"):
            for language, text in getattr(service, name).items():
                self[f"{name}_{language}"].data = text
        self.category.data, self.tags.data = str(service.category_id), ", ".join(service.tags)

    def wish(self) -> ServiceWish:
        tags = [one for one in re.split(r"[,\s]+", (self.tags.data or "").lower()) if TAG.fullmatch(one)]
        return ServiceWish(
            name=self.name.data,
            category_id=UUID(self.category.data),
            description={"en": self.description_en.data, "id": self.description_id.data},
            long_description={"en": self.long_description_en.data, "id": self.long_description_id.data},
            documentation_url=self.documentation_url.data or "",
            tags=list(dict.fromkeys(tags))[:TAGS_MAX],
            featured=bool(self.featured.data),
            sort_order=self.sort_order.data or 0,
        )


class PlanForm(PortalForm):
    name = _text(_l("Name"), 60)
    sort_order = _number(_l("Place in the order"), 0, 1000)
    cpu_millicores = _number(_l("Processor, thousandths of a core"), 1, 256_000)
    memory_mib = _number(_l("Memory, MiB"), 1, 4_194_304)
    storage_gib = _number(_l("Storage, GiB"), 1, 65_536)
    bandwidth_gib = _number(_l("Traffic a month, GiB"), 0, 1_000_000)
    max_instances = _number(_l("Apps in one subscription"), 1, 100)
    max_domains = _number(_l("Own addresses"), 0, 1000)
    trial_days = _number(_l("Days of trial, 0 for none"), 0, 90)
    setup_fee = _number(_l("Set-up fee"), 0, AMOUNT_MAX)
    popular = BooleanField(_l("Recommended"))
    features = TextAreaField(_l("What is in it"), [Length(max=4000)], filters=[sound])

    def show(self, plan: Plan) -> None:
        """Fills the form with what stands in the catalog."""
        for name in PlanWish.__dataclass_fields__:
            self[name].data = getattr(plan, name)
        self.features.data = "\n".join(f"{one.get('en', '')} | {one.get('id', '')}" for one in plan.features)

    def wish(self) -> PlanWish:
        values = {name: self[name].data for name in PlanWish.__dataclass_fields__ if name != "features"}
        return PlanWish(**values, features=self._features())

    def _features(self) -> list[dict[str, str]]:
        """A line each, English and Indonesian apart by a bar; one without a bar is the same in both."""
        lines = [line.partition("|") for line in (self.features.data or "").splitlines() if line.strip(" |")]
        pairs = [(english.strip(), indonesian.strip()) for english, _, indonesian in lines[:FEATURES_MAX]]
        return [{"en": english or indonesian, "id": indonesian or english} for english, indonesian in pairs]


class NewPlanForm(PlanForm):
    tier = SelectField(_l("Tier"), choices=[(tier.value, tier.value.title()) for tier in PlanType])
    monthly_price = _number(_l("Price a month"), 0, AMOUNT_MAX)
    yearly_price = IntegerField(_l("Price a year"), [Optional(), NumberRange(0, AMOUNT_MAX)])
    slots_total = _number(_l("Slots"), 0, 1_000_000)

    @property
    def prices(self) -> dict[str, int]:
        both = {Interval.MONTHLY: self.monthly_price.data, Interval.YEARLY: self.yearly_price.data}
        return {str(interval): amount for interval, amount in both.items() if amount is not None}


class PriceForm(PortalForm):
    interval = SelectField(choices=[(each.value, each.value) for each in Interval])
    amount = _number(_l("New price"), 0, AMOUNT_MAX)
