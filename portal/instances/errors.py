"""Refusals around instances."""

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, NotFound, PortalError


class InstanceNotFound(NotFound):
    code = "INSTANCE_NOT_FOUND"


class CannotStart(Conflict):
    code = "CANNOT_START"
    message = _l("This app cannot be started as it is now. Look at its state, then try again.")


class CannotStop(Conflict):
    code = "CANNOT_STOP"
    message = _l("This app cannot be stopped as it is now. Look at its state, then try again.")


class CannotRestart(Conflict):
    code = "CANNOT_RESTART"
    message = _l("This app cannot be restarted as it is now. Look at its state, then try again.")


class CannotReconcile(Conflict):
    code = "CANNOT_RECONCILE"
    message = _l("There is nothing to apply: the app is ending, or has not begun yet.")


class CannotMaintain(Conflict):
    code = "CANNOT_MAINTAIN"
    message = _l("The app's state does not allow this now: something else is changing it, or it is there already.")


class CannotUpdate(Conflict):
    code = "CANNOT_UPDATE"
    message = _l("This app cannot be updated as it is now. It must be running, with nothing else being changed.")


class UpdateChanged(Conflict):
    code = "UPDATE_CHANGED"
    message = _l("Another version is offered now. Look at it again before you update. Nothing was changed.")


class UpdateNeedsHelp(Conflict):
    code = "UPDATE_NEEDS_HELP"
    message = _l("This update needs a hand of ours. Write to us, and we do it with you. Nothing was changed.")


class CannotConfigure(Conflict):
    code = "CANNOT_CONFIGURE"
    message = _l("This cannot be changed as the app is now: it is still being set up, or already being removed.")


class VariablesChanged(Conflict):
    code = "VARIABLES_CHANGED"
    message = _l("Somebody saved other variables meanwhile. This is how they are now; nothing of yours was saved.")


class BadVariables(PortalError):
    status = 422
    code = "BAD_VARIABLES"
    message = _l("Nothing was saved. Mend what is marked, then save again.")


class BadHost(PortalError):
    """`details["problem"]` is a code of `wording.HOST_PROBLEMS`."""

    status = 422
    code = "BAD_HOST"
    message = _l("This cannot be the app's domain. Nothing was added.")


class DomainThere(Conflict):
    code = "DOMAIN_THERE"
    message = _l("This app has that domain already.")


class TooManyDomains(Conflict):
    code = "TOO_MANY_DOMAINS"
    message = _l("Your plan has no room for another domain. Remove one, or choose a larger plan.")


class DomainNotFound(NotFound):
    code = "DOMAIN_NOT_FOUND"


class CannotDelete(Conflict):
    code = "CANNOT_DELETE"
    message = _l("This app cannot be deleted right now: it is still being set up or already being removed.")


class NameNotTyped(PortalError):
    """The confirmation does not carry the instance's name."""

    status = 422
    code = "NAME_NOT_TYPED"
    message = _l("Nothing was deleted. Type the app's name exactly as shown to confirm.")


class UnknownApp(PortalError):
    """The catalog sells a service whose app template is not there: an operator's mistake."""

    status = 409
    code = "UNKNOWN_APP"
    message = _l("This app cannot be set up at the moment. Nothing was charged.")
