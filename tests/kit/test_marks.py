from labrunner.kit import check
from labrunner.kit.marks import Marks


def test_a_marked_check_stays_the_function_it_was() -> None:
    def test_it() -> str:
        """It holds."""
        return "ran"

    marked = check(points=3, needs=["another"])(test_it)

    assert marked is test_it
    assert marked() == "ran"
    assert vars(marked)["labrunner"] == Marks(3, ("another",))


def test_a_check_is_worth_one_point_and_needs_nothing_unless_it_says_so() -> None:
    @check()
    def test_it() -> None: ...

    assert vars(test_it)["labrunner"] == Marks(1, ())
