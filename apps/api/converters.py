"""Ids in addresses: what does not have the form of an id is an address that does not exist."""


class UserIdConverter:
    """``usr-`` and 12 hex digits."""

    regex = "usr-[0-9a-f]{12}"

    def to_python(self, value: str) -> str:
        """The id."""
        return value

    def to_url(self, value: str) -> str:
        """The id."""
        return value


class DeviceIdConverter(UserIdConverter):
    """``dev-`` and 12 hex digits."""

    regex = "dev-[0-9a-f]{12}"


class MessageIdConverter(UserIdConverter):
    """``msg-`` and 16 hex digits."""

    regex = "msg-[0-9a-f]{16}"


class GroupIdConverter(UserIdConverter):
    """``grp-`` and 12 hex digits."""

    regex = "grp-[0-9a-f]{12}"


class ParticipantIdConverter(UserIdConverter):
    """A user or a group."""

    regex = "(?:usr|grp)-[0-9a-f]{12}"


class SecretConverter(UserIdConverter):
    """256 random bits, as `new_secret` writes them."""

    regex = "[0-9A-Za-z_-]{43}"
