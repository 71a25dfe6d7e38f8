"""How the cluster says no. What the customer reads is worded where it is shown; `details` are for logs."""

from flask_babel import lazy_gettext as _l

from portal.core.errors import PortalError, Unavailable


class ClusterUnavailable(Unavailable):
    """No answer, an answer in doubt (time-out, 5xx), or a temporary no (429, a namespace that is going away).

    A caller's mistake can look like this too: Kubernetes answers some with a bare 500. So whoever retries needs
    an end: the roll-out's deadline.
    """

    code = "CLUSTER_UNAVAILABLE"
    message = _l("The servers that run the apps do not answer right now. Nothing was changed. Try again soon.")


class ClusterForbids(ClusterUnavailable):
    """Our own account lacks a right or its token is not accepted: an operator must act, and may still in time."""

    code = "CLUSTER_FORBIDS"


class Refused(PortalError):
    """A definite no to what we asked (400, 403 by a quota or a policy, 404 of a whole API, 409, 422).

    Repeating the same will not help. `details`: status, reason, kind, name; `over_quota` tells a quota apart.
    """

    status = 502
    code = "REFUSED_BY_CLUSTER"
    message = _l("The servers that run the apps refused this.")

    @property
    def over_quota(self) -> bool:
        return bool(self.details.get("over_quota"))


class DataMissing(Refused):
    """The volume of an app that has run before is not there: an empty one in its place would hide the loss."""

    code = "DATA_MISSING"


class Missing(Refused):
    """It is not there: 404 with a Status, where an object was named."""

    code = "NOT_IN_CLUSTER"
