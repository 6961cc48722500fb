"""Facts of more memberships than one condition of SQLite may have parts."""

from apps.groups.facts import MemberFacts, load_facts, member_key
from apps.groups.models import Group, Member

GROUP = "grp-0123456789ab"


def test_a_gateway_that_has_forgotten_everything_learns_of_thousands_at_once(ada: str, bob: str) -> None:
    group = Group.objects.create(pk=GROUP, name="Chess")
    Member.objects.create(group=group, user_id=ada, role="owner", from_sequence=5)
    Member.objects.create(group=group, user_id=bob, from_sequence=7)
    names = [member_key(GROUP, f"usr-{number:012x}") for number in range(2_500)]
    names = [member_key(GROUP, ada), *names, member_key(GROUP, bob), GROUP]
    facts = load_facts(names)
    assert list(facts) == [GROUP, *names[:-1]]
    assert facts[member_key(GROUP, ada)] == MemberFacts(role="owner", from_sequence=5)
    assert facts[member_key(GROUP, bob)] == MemberFacts(role="member", from_sequence=7)
    assert sum(one.exists for one in facts.values()) == 3
