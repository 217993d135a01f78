"""Who may do what on Kafka follows from who writes and reads what."""

from contracts import acls, topics
from contracts.topics import ALL, ANYONE, GROUPS, SERVICES


def allowed(program: str, operation: str, kind: acls.Kind = "topic") -> set[str]:
    return {
        one.name for one in acls.grants() if one.program == program and one.kind == kind and operation in one.operations
    }


def test_a_service_reads_and_writes_what_the_list_says_and_nothing_else() -> None:
    for service in SERVICES:
        assert allowed(service, "Read") == {topic.name for topic in ALL if service in topic.readers}
        assert allowed(service, "Write") == {topic.name for topic in ALL if service in topic.writers}
        assert allowed(service, "Read", "group") == {
            group.name for group in GROUPS if group.name.split(".")[0] == service
        }


def test_the_sms_sender_never_sees_a_mail() -> None:
    mails = {topic.name for topic in topics.due_lanes(topics.Channel.EMAIL)}
    assert mails & allowed("sms_sender", "Read") == set()


def test_other_programs_publish_what_is_meant_for_them_and_read_nothing() -> None:
    assert allowed(acls.PRODUCER, "Write") == {topic.name for topic in ALL if ANYONE in topic.writers}
    assert allowed(acls.PRODUCER, "Read") == allowed(acls.PRODUCER, "Read", "group") == set()


def test_who_looks_and_makes_topics_reads_and_writes_no_message() -> None:
    may = {one for grant in acls.grants() if grant.program == acls.OPERATOR for one in grant.operations}
    assert may == {"Describe", "Create"}
    assert allowed(acls.OPERATOR, "Describe", "group") == {group.name for group in GROUPS}


def test_the_lines_carry_the_prefix_and_every_grant_once() -> None:
    lines = acls.options("house.")
    named = [word for line in lines for word in line.split() if word.startswith("house.")]
    assert len(named) == len(acls.grants())
    assert all(line.startswith("--add --allow-principal User:tocsin_") for line in lines)
