"""Images that fail: the playbook says why in words, and the tasks that ran before still answer."""

from __future__ import annotations

import pytest
from local_account import Account, Client


@pytest.fixture(scope="module")
def deployed(account: Account, settings: list[str], image: str) -> list[str]:
    """The settings of an environment in which the image runs."""
    ours = [*settings, "-e", "environment_name=failing"]
    run = account.playbook(*ours, "-e", f"image={image}")
    assert run.code == 0, run.text
    return ours


def rolled_back(account: Account, deployed: list[str], image: str) -> str:
    """What the playbook says of the image, while everybody is still answered."""
    with Client(account, "failing") as client:
        run = account.playbook(*deployed, "-e", f"image={image}")
    assert run.code == 2, run.text
    headline = "failing-web-service did not become what services/WebService.yaml says; it is UPDATE_ROLLBACK_COMPLETE."
    assert headline in run.words, run.text
    assert "ECS Deployment Circuit Breaker was triggered" in run.words, run.text
    assert "Traceback" not in run.text
    assert client.failures == []
    return run.words


def test_a_broken_image_fails_in_words_and_the_old_tasks_still_answer(
    account: Account, deployed: list[str], variant
) -> None:
    before = {container["Id"] for container in account.containers()}
    words = rolled_back(account, deployed, variant("broken", 'ENTRYPOINT ["/nowd", "--no-such-flag"]'))
    assert "A task stopped: Essential container in task exited; nowd: exit code" in words
    assert {container["Id"] for container in account.containers()} == before


def test_an_image_that_never_becomes_ready_fails_in_words_and_the_old_tasks_still_answer(
    account: Account, deployed: list[str], variant
) -> None:
    before = {container["Id"] for container in account.containers()}
    # No kernel vouches for its clock to a microsecond: it serves, and says for ever that it is not ready.
    words = rolled_back(account, deployed, variant("unready", 'ENTRYPOINT ["/nowd", "--max-clock-error", "1us"]'))
    assert "A task stopped: Task failed ELB health checks" in words
    assert account.settled() == before
