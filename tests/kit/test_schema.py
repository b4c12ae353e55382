from collections.abc import Callable

import psycopg
import pytest

from labrunner.kit import Database, Index
from labrunner.kit.sqlfiles import Script
from labrunner.kit.statements import split

# What the learner's role can make and change, and the beginning of the line that tells it.
MADE = [
    ("create table t (x int)", "table public.t", "table column public.t.x: integer"),
    ("create unlogged table t (x int) with (fillfactor = 50)", "table public.t: unlogged, options {fillfactor=50}"),
    ("create table t (y int) inherits (orders)", "table public.t: inherits public.orders"),
    ("create table t (x int) partition by range (x)", "table public.t: partitioned by RANGE (x)"),
    (
        "create table t (x int) partition by list (x); create table t1 partition of t for values in (1)",
        "table public.t1: FOR VALUES IN (1), inherits public.t",
    ),
    ("create type pair as (a int); create table t of pair", "table public.t: of public.pair"),
    (
        "create table t (x int generated always as (1) stored)",
        "table column public.t.x: integer, generated s 1",
    ),
    ("alter table orders add note text default 'x'", "table column public.orders.note: text, default 'x'::text"),
    ("alter table orders alter total type int", "table column public.orders.total: integer, not null"),
    ("alter table customers alter email drop not null", "table column public.customers.email: text"),
    (
        "alter table customers alter city set not null",
        "table column public.customers.city: text, not null",
    ),
    (
        'alter table customers alter city type text collate "C"',
        "table column public.customers.city: text, collation \"C\"",
    ),
    (
        "alter table customers alter city set storage external, alter city set statistics 7, alter city"
        " set (n_distinct = 5), alter city set compression pglz",
        "table column public.customers.city: text, storage e, compression p, statistics 7, options {n_distinct=5}",
    ),
    ("alter table orders set (autovacuum_enabled = off)", "table public.orders: options {autovacuum_enabled=off}"),
    ("alter table orders enable row level security", "table public.orders: row security"),
    ("alter table orders force row level security", "table public.orders: row security forced"),
    ("alter table orders replica identity full", "table public.orders: replica identity f"),
    ("create policy p on orders for select to public using (total > 1)", "policy p on public.orders: for r"),
    ("alter table orders add check (total > -1)", "table constraint orders_total_check on public.orders: CHECK"),
    ("alter table orders add unique (placed, id)", "table constraint orders_placed_id_key on public.orders: UNIQUE"),
    ("create view v as select 1 as x", "view public.v: definition "),
    ("create materialized view m as select 1 as x", "materialized view public.m: definition "),
    (
        "create materialized view m as select 1 as x with no data",
        "materialized view public.m: not populated, definition ",
    ),
    (
        "create function f(int) returns int language sql as 'select 1'",
        "function public.f(integer): returns integer, language sql, definition ",
    ),
    ("create procedure p() language sql as ''", "procedure public.p(): language sql, definition "),
    ("create aggregate most(int) (sfunc = int4larger, stype = int)", "aggregate public.most(integer): returns"),
    (
        "create function f() returns trigger language plpgsql as 'begin return new; end';"
        " create trigger audit before insert on orders for each row execute function f()",
        "trigger audit on public.orders: enabled O, CREATE TRIGGER audit BEFORE INSERT",
    ),
    ("create rule r as on insert to orders do instead nothing", "rule r on public.orders: enabled O, CREATE RULE r"),
    ("create sequence s increment 5", "sequence public.s: bigint, start 1, by 5"),
    ("create type mood as enum ('fine', 'so so')", "type public.mood: enum, 'fine' 'so so'"),
    ("create type pair as (a int, b text)", "composite type public.pair"),
    ("create type pair as (a int, b text)", "composite type column public.pair.a: integer"),
    ("create type span as range (subtype = int)", "type public.span: range, of integer"),
    ("create type shell", "type public.shell: shell"),
    ("create domain low as int not null default 3 check (value < 9)", "type public.low: domain of integer, not null, default 3"),
    ("create domain low as int check (value < 9)", "domain constraint low_check on public.low: CHECK"),
    ("create statistics st on customer_id, total from orders", "statistics object public.st: CREATE STATISTICS"),
    (
        "create operator === (leftarg = int, rightarg = int, procedure = int4eq, restrict = eqsel)",
        "operator public.===(integer,integer): int4eq(integer,integer), restrict eqsel",
    ),
    (
        "create type a as enum ('x'); create type b as enum ('x'); create cast (a as b) with inout",
        "cast (public.a AS public.b): context e method i",
    ),
    ("create collation plain from \"C\"", "collation public.plain: "),
    ("create text search configuration mine (copy = simple)", "text search configuration public.mine: "),
    (
        "create text search dictionary mine (template = simple, accept = false)",
        "text search dictionary public.mine: simple accept = 'false'",
    ),
    ("create operator family mine using btree", "operator family public.mine USING btree") if False else
    ("create conversion c for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8", "conversion public.c"),
    ("grant select on orders to public", "grant SELECT on table public.orders to public"),
    ("grant update (total) on orders to public", "grant UPDATE on table column public.orders.total to public"),
    ("grant create on schema public to public", "grant CREATE on schema public to public"),
    (
        "create type mood as enum ('x'); grant usage on type mood to public",
        "grant USAGE on type public.mood to public",
    ),
    ("alter default privileges grant select on tables to public", "default acl for role "),
    ("select lo_create(0)", "large objects: 1"),
    ("alter role current_user set enable_seqscan = off", "setting enable_seqscan=off of the role"),
]  # fmt: skip


def script(text: str) -> Script:
    return Script("x.sql", split(text, "x.sql"))


@pytest.mark.parametrize(("text", *"ab"[:1]), [(made[0], made[1:]) for made in MADE])
def test_what_the_learner_makes_is_told_in_a_line(database: Database, text: str, a: tuple[str, ...]) -> None:
    before = database.objects()
    database.apply(script(text))
    new = database.objects() - before
    for beginning in a:
        assert [line for line in new if line.startswith(beginning)], new
