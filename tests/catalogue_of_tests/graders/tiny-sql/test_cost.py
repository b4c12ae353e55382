from labrunner.kit import check, expect_at_most, replay


@check(points=3)
def test_total_reads_few_blocks(goods, learner):
    """The total reads a handful of blocks."""
    query = learner.query("total.sql")
    run = goods.run(query, 995)
    expect_at_most(
        run.blocks,
        12,
        "The query read too much.",
        "blocks",
        plan=goods.explain(query, 995),
        replay=replay(["setup.sql"], (query, [995])),
    )
