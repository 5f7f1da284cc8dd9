"""What `make mutants` makes of the product and of what mutmut found."""

from pathlib import Path

from tests.mutants.prepare import as_read
from tests.mutants.result import Equivalents, Tally, change_of, place_of

HERE = Path(__file__)
SOURCE = """class Lease:
    @property
    def held(self) -> bool:
        return self.age < 60

    def check(self) -> None:
        if self.lost:
            raise LeaseHeld(
                "the lease was lost",
                "run it again",
            )
"""
DIFF = "--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n def f():\n-    return a < b  # pragma: no mutate\n+    return a <= b\n"
NAME = "wmtui.watermarks.lease.xǁHeartbeatǁheld__mutmut_1"


def test_properties_are_methods_to_mutmut_and_words_of_errors_are_left_alone() -> None:
    read = as_read(SOURCE)
    assert "@property" not in read
    assert "        return self.age < 60\n\n    held = property(held)\n" in read
    assert [line.split("#")[0].strip() for line in read.splitlines() if line.endswith("# pragma: no mutate")] == [
        "raise LeaseHeld(",
        '"the lease was lost",',
        '"run it again",',
        ")",
    ]


def test_a_mutant_is_known_by_its_place_and_its_change() -> None:
    assert place_of(NAME) == "wmtui.watermarks.lease:Heartbeat.held"
    assert place_of("wmtui.pipeline.extract.plan.x__overlap__mutmut_12") == "wmtui.pipeline.extract.plan:_overlap"
    assert change_of(DIFF) == "- return a < b\n+ return a <= b"


def test_the_score_leaves_out_what_is_listed_as_equivalent_and_names_what_is_listed_and_gone(tmp_path: Path) -> None:
    listed = tmp_path / "equivalent.txt"
    block = "wmtui.watermarks.lease:Heartbeat.held\n- return a < b\n+ return a <= b\nNobody can tell.\n"
    listed.write_text(f"# A comment.\n\n{block}\n{block.replace('held', 'gone')}")
    equivalents = Equivalents.read(listed)
    codes = {NAME: 0, NAME.replace("held", "other"): 0, NAME.replace("held", "a"): 1, NAME.replace("held", "b"): -24}

    tally = Tally.of("wmtui/watermarks/lease.py", codes, equivalents, lambda _: DIFF)

    assert (tally.killed, tally.timeouts, tally.equivalent, len(tally.survivors)) == (1, 1, 1, 1)
    assert "wmtui.watermarks.lease:Heartbeat.other\n- return a < b" in tally.survivors[0]
    assert round(tally.score) == 67
    assert Tally.total([tally, tally]).killed == 2
    (unused,) = equivalents.unused(["wmtui/watermarks/lease.py"])
    assert unused.startswith("wmtui.watermarks.lease:Heartbeat.gone")
    assert equivalents.unused(["wmtui/watermarks/store.py"]) == []


def test_every_equivalent_has_a_reason_and_its_line_is_in_the_product() -> None:
    for (place, change), reason in Equivalents.read(HERE.with_name("equivalent.txt")).reasons.items():
        module, _, _ = place.partition(":")
        source = [
            line.strip()
            for line in (HERE.parents[2] / module.replace(".", "/")).with_suffix(".py").read_text().splitlines()
        ]
        taken = [line[2:] for line in change.splitlines() if line.startswith("- ")]
        assert reason, place
        assert set(taken) <= set(source), f"{place}\n{change}"
