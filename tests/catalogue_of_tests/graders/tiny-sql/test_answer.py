from labrunner.kit import check, expect_equal


@check(points=2)
def test_total_is_right(goods, learner, rng):
    """The total counts the goods at or above any price."""
    price = rng.randrange(1, 999)
    run = goods.run(learner.query("total.sql"), price)
    expect_equal(run.rows, [(2 * (1000 - price),)], f"The total for the price {price} is not right.")


@check(needs=["total-is-right"])
def test_answer_has_one_column(goods, learner):
    """The answer has one column."""
    expect_equal(
        len(goods.run(learner.query("total.sql"), 1).columns), 1, "The answer has more than one column."
    )
