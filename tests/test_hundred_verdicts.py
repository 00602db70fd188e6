"""A hundred verdicts, and a hundred of them right: a check that cries wolf once in fifty times is not listened to."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from support.nowcheck import check

EACH = 20


@dataclass
class Suspect:
    name: str
    url: str
    offset: float
    verdict: tuple[str, str]


def test_a_hundred_of_a_hundred_verdicts_are_right(nowd, faulty, sharp_reference):
    wrong, right = ("CRITICAL", "desynchronized"), ("OK", "in_sync")
    suspects = [
        Suspect("nowd 3 s ahead", nowd(+3).url, +3, wrong),
        Suspect("nowd 3 s behind", nowd(-3).url, -3, wrong),
        Suspect("nowd half a second ahead", nowd(+0.5).url, +0.5, right),
        Suspect("HH:MM:SS, right", faulty("answers", "--says", "hms").url, 0, right),
        Suspect("HH:MM:SS, 3 s ahead", faulty("answers", "--says", "hms", "--offset", 3).url, 3, wrong),
    ]
    # Some at a time, as a monitoring host does it: their requests disturb one another, as they do there.
    with ThreadPoolExecutor(4) as pool:
        tasks = [(suspect, pool.submit(check, suspect.url)) for _ in range(EACH) for suspect in suspects]
        runs = [(suspect, task.result()) for suspect, task in tasks]

    assert len(runs) == 100
    mistakes = [f"{suspect.name}: {run}" for suspect, run in runs if run.verdict != suspect.verdict]
    assert not mistakes, f"{len(mistakes)} of {len(runs)} verdicts are wrong:\n" + "\n".join(mistakes)

    # faketime's shift is exact to some microseconds; a millisecond is generous.
    outside = [
        f"{suspect.name}: {run.backend['offset']}"
        for suspect, run in runs
        if not run.backend["offset"]["earliest"] - 0.001 <= suspect.offset <= run.backend["offset"]["latest"] + 0.001
    ]
    assert not outside, "intervals that do not hold the truth:\n" + "\n".join(outside)
