"""Forms of instances."""

from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import AnyOf, InputRequired

from portal.web.forms import PortalForm


class DeletionForm(PortalForm):
    """Typing the app's name is the confirmation."""

    name = StringField(_l("Type the name to confirm"), filters=[lambda text: (text or "").strip()])

    def expect(self, name: str) -> None:
        """Only this very name passes."""
        wrong = _l("Nothing was deleted. Type the name exactly as shown.")
        self.name.validators = [InputRequired(), AnyOf([name], message=wrong)]
