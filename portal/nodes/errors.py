"""Expected refusals about nodes."""

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, Forbidden, NotFound, PortalError


class NodeNotFound(NotFound):
    code = "NODE_NOT_FOUND"


class NotInThisState(Conflict):
    """The rules do not allow this act on the node as it is."""

    code = "NODE_STATE"
    message = _l("The node is not in a state for this. Look at it as it is now.")


class NothingToMove(Conflict):
    code = "NOTHING_TO_MOVE"
    message = _l("Nothing on this node can be moved.")


class BadSignature(Forbidden):
    """A heartbeat that was not signed with our token."""

    code = "BAD_SIGNATURE"
    message = "bad signature"


class StaleHeartbeat(Forbidden):
    """Signed well, but too long ago, or in the future: an old one played again, or a clock that is wrong."""

    code = "STALE"
    message = "the timestamp is too far from our clock"


class NoAgents(Forbidden):
    """This installation has no token for agents."""

    code = "NO_AGENT_TOKEN"
    message = "no agent token is set here"


class MalformedHeartbeat(PortalError):
    status = 400
    code = "MALFORMED"
    message = "not a heartbeat"
