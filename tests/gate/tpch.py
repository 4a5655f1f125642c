# SPDX-License-Identifier: Apache-2.0
"""The 22 queries of TPC-H, a policy over its tables, and small tables of its shape."""

import itertools
from dataclasses import replace

from governed import ADDED, EXACT, column

from lingqu.gate.governance import (
    Cardinality,
    DpTerms,
    GovernedTable,
    Grid,
    GridKind,
    Join,
    Measure,
    Mode,
    QueryPolicy,
    Role,
)

TYPES = tuple(
    " ".join(words)
    for words in itertools.product(
        ("STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"),
        ("ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"),
        ("TIN", "NICKEL", "BRASS", "STEEL", "COPPER"),
    )
)
LISTED = Grid(kind=GridKind.EXACT, values=TYPES)


def keys(*names):
    return [column(name, Role.KEY, "BIGINT") for name in names]


def texts(*names):
    return [column(name, Role.DIMENSION, "VARCHAR", EXACT) for name in names]


def days(*names):
    return [column(name, Role.DIMENSION, "DATE", EXACT) for name in names]


def measure(name, upper, grid=None):
    bounds = Measure(scale=2, lower=0, upper=upper, functions=ADDED)
    return column(name, Role.MEASURE, "DECIMAL(15,2)", grid, bounds)


def table(name, columns, entity=None):
    resource = f"res_{name}"
    return GovernedTable(name=name, resource=resource, columns=tuple(columns), entity=entity)


def joined(left, right, *pairs, cardinality=Cardinality.MANY_ONE):
    return Join(left=left, right=right, keys=pairs, cardinality=cardinality)


POLICY = QueryPolicy(
    tables=(
        table("lineitem", [
            *keys("l_orderkey", "l_partkey", "l_suppkey"),
            measure("l_quantity", 5_000, EXACT), measure("l_extendedprice", 11_000_000),
            measure("l_discount", 10, EXACT), measure("l_tax", 8),
            *texts("l_returnflag", "l_linestatus", "l_shipmode", "l_shipinstruct"),
            *days("l_shipdate", "l_commitdate", "l_receiptdate"),
        ]),
        table("orders", [
            *keys("o_orderkey", "o_custkey"), *texts("o_orderpriority", "o_orderstatus"),
            *days("o_orderdate"), column("o_comment", Role.FREE, "VARCHAR"),
            measure("o_totalprice", 60_000_000),
        ], "o_custkey"),
        table("customer", [
            *keys("c_custkey", "c_nationkey"), *texts("c_mktsegment"),
            column("c_name", Role.SENSITIVE, "VARCHAR"), measure("c_acctbal", 1_000_000),
        ], "c_custkey"),
        table("supplier", [*keys("s_suppkey", "s_nationkey"), *texts("s_name")]),
        table("part", [
            *keys("p_partkey"), *texts("p_brand", "p_container"),
            column("p_type", Role.DIMENSION, "VARCHAR", LISTED),
            column("p_size", Role.DIMENSION, "INTEGER", EXACT),
            column("p_name", Role.FREE, "VARCHAR"),
        ]),
        table("partsupp", [
            *keys("ps_partkey", "ps_suppkey"), measure("ps_supplycost", 100_000),
            measure("ps_availqty", 1_000_000),
        ]),
        table("nation", [*keys("n_nationkey", "n_regionkey"), *texts("n_name")]),
        table("region", [*keys("r_regionkey"), *texts("r_name")]),
    ),
    joins=(
        joined("lineitem", "orders", ("l_orderkey", "o_orderkey")),
        joined("lineitem", "supplier", ("l_suppkey", "s_suppkey")),
        joined("lineitem", "part", ("l_partkey", "p_partkey")),
        joined("lineitem", "partsupp", ("l_partkey", "ps_partkey"), ("l_suppkey", "ps_suppkey")),
        joined("orders", "customer", ("o_custkey", "c_custkey")),
        joined("customer", "nation", ("c_nationkey", "n_nationkey")),
        joined("supplier", "nation", ("s_nationkey", "n_nationkey")),
        joined("customer", "supplier", ("c_nationkey", "s_nationkey"),
               cardinality=Cardinality.MANY_MANY),
        joined("nation", "region", ("n_regionkey", "r_regionkey")),
    ),
    modes=(Mode.AD_HOC, Mode.DP),
    dp=DpTerms(contribution=50, rho_least=10, rho_most=1_000, organization_ceiling=10_000,
               dataset_ceiling=100_000),
)  # fmt: skip

ANSWERED = {
    1: ("ad_hoc", """
select l_returnflag, l_linestatus, sum(l_quantity) as sum_qty,
  sum(l_extendedprice) as sum_base_price,
  sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
  sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
  avg(l_quantity) as avg_qty, avg(l_extendedprice) as avg_price, avg(l_discount) as avg_disc,
  count(*) as count_order
from lineitem where l_shipdate <= date '1998-12-01' - interval '90' day
group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus"""),
    5: ("ad_hoc", """
select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
from customer, orders, lineitem, supplier, nation, region
where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey
  and c_nationkey = s_nationkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey
  and r_name = 'ASIA' and o_orderdate >= date '1994-01-01'
  and o_orderdate < date '1994-01-01' + interval '1' year
group by n_name order by revenue desc"""),
    6: ("ad_hoc", """
select sum(l_extendedprice * l_discount) as revenue from lineitem
where l_shipdate >= date '1994-01-01' and l_shipdate < date '1994-01-01' + interval '1' year
  and l_discount between 0.06 - 0.01 and 0.06 + 0.01 and l_quantity < 24"""),
    7: ("ad_hoc", """
select supp_nation, cust_nation, l_year, sum(volume) as revenue from (
  select n1.n_name as supp_nation, n2.n_name as cust_nation,
    extract(year from l_shipdate) as l_year, l_extendedprice * (1 - l_discount) as volume
  from supplier, lineitem, orders, customer, nation n1, nation n2
  where s_suppkey = l_suppkey and o_orderkey = l_orderkey and c_custkey = o_custkey
    and s_nationkey = n1.n_nationkey and c_nationkey = n2.n_nationkey
    and ((n1.n_name = 'FRANCE' and n2.n_name = 'GERMANY')
      or (n1.n_name = 'GERMANY' and n2.n_name = 'FRANCE'))
    and l_shipdate between date '1995-01-01' and date '1996-12-31') as shipping
group by supp_nation, cust_nation, l_year order by supp_nation, cust_nation, l_year"""),
    8: ("ad_hoc", """
select o_year, sum(case when nation = 'BRAZIL' then volume else 0 end) / sum(volume) as mkt_share
from (
  select extract(year from o_orderdate) as o_year, l_extendedprice * (1 - l_discount) as volume,
    n2.n_name as nation
  from part, supplier, lineitem, orders, customer, nation n1, nation n2, region
  where p_partkey = l_partkey and s_suppkey = l_suppkey and l_orderkey = o_orderkey
    and o_custkey = c_custkey and c_nationkey = n1.n_nationkey and n1.n_regionkey = r_regionkey
    and r_name = 'AMERICA' and s_nationkey = n2.n_nationkey
    and o_orderdate between date '1995-01-01' and date '1996-12-31'
    and p_type = 'ECONOMY ANODIZED STEEL') as all_nations
group by o_year order by o_year"""),
    9: ("dp", """
select nation, o_year, sum(amount) as sum_profit from (
  select n_name as nation, extract(year from o_orderdate) as o_year,
    l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity as amount
  from part, supplier, lineitem, partsupp, orders, nation
  where s_suppkey = l_suppkey and ps_suppkey = l_suppkey and ps_partkey = l_partkey
    and p_partkey = l_partkey and o_orderkey = l_orderkey and s_nationkey = n_nationkey
    and p_name like '%green%') as profit
group by nation, o_year order by nation, o_year desc"""),
    12: ("dp", """
select l_shipmode,
  sum(case when o_orderpriority = '1-URGENT' or o_orderpriority = '2-HIGH' then 1 else 0 end)
    as high_line_count,
  sum(case when o_orderpriority <> '1-URGENT' and o_orderpriority <> '2-HIGH' then 1 else 0 end)
    as low_line_count
from orders, lineitem
where o_orderkey = l_orderkey and l_shipmode in ('MAIL', 'SHIP') and l_commitdate < l_receiptdate
  and l_shipdate < l_commitdate and l_receiptdate >= date '1994-01-01'
  and l_receiptdate < date '1994-01-01' + interval '1' year
group by l_shipmode order by l_shipmode"""),
    14: ("ad_hoc", """
select 100.00 * sum(case when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount) else 0
  end) / sum(l_extendedprice * (1 - l_discount)) as promo_revenue
from lineitem, part where l_partkey = p_partkey and l_shipdate >= date '1995-09-01'
  and l_shipdate < date '1995-09-01' + interval '1' month"""),
    19: ("ad_hoc", """
select sum(l_extendedprice * (1 - l_discount)) as revenue from lineitem, part
where (p_partkey = l_partkey and p_brand = 'Brand#12'
    and p_container in ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
    and l_quantity >= 1 and l_quantity <= 1 + 10 and p_size between 1 and 5
    and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON')
  or (p_partkey = l_partkey and p_brand = 'Brand#23'
    and p_container in ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
    and l_quantity >= 10 and l_quantity <= 10 + 10 and p_size between 1 and 10
    and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON')
  or (p_partkey = l_partkey and p_brand = 'Brand#34'
    and p_container in ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
    and l_quantity >= 20 and l_quantity <= 20 + 10 and p_size between 1 and 15
    and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON')"""),
}  # fmt: skip

REFUSED = {
    2: ("construct subquery", """
select s_name, n_name, p_partkey from part, supplier, partsupp, nation, region
where p_partkey = ps_partkey and s_suppkey = ps_suppkey and p_size = 15 and p_type like '%BRASS'
  and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = 'EUROPE'
  and ps_supplycost = (select min(ps_supplycost) from partsupp where p_partkey = ps_partkey)
order by s_name limit 100"""),
    3: ("column group", """
select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate
from customer, orders, lineitem
where c_mktsegment = 'BUILDING' and c_custkey = o_custkey and l_orderkey = o_orderkey
  and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
group by l_orderkey, o_orderdate order by revenue desc, o_orderdate limit 10"""),
    4: ("construct subquery", """
select o_orderpriority, count(*) as order_count from orders
where o_orderdate >= date '1993-07-01' and o_orderdate < date '1993-07-01' + interval '3' month
  and exists (select * from lineitem where l_orderkey = o_orderkey
    and l_commitdate < l_receiptdate)
group by o_orderpriority order by o_orderpriority"""),
    10: ("column group", """
select c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue
from customer, orders, lineitem, nation
where c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate >= date '1993-10-01'
  and o_orderdate < date '1993-10-01' + interval '3' month and l_returnflag = 'R'
  and c_nationkey = n_nationkey
group by c_custkey, c_name order by revenue desc limit 20"""),
    11: ("construct subquery", """
select ps_partkey, sum(ps_supplycost * ps_availqty) as value from partsupp, supplier, nation
where ps_suppkey = s_suppkey and s_nationkey = n_nationkey and n_name = 'GERMANY'
group by ps_partkey having sum(ps_supplycost * ps_availqty) > (
  select sum(ps_supplycost * ps_availqty) * 0.0001 from partsupp)
order by value desc"""),
    13: ("construct left_join", """
select c_count, count(*) as custdist from (
  select c_custkey, count(o_orderkey) as c_count from customer left outer join orders
    on c_custkey = o_custkey and o_comment not like '%special%requests%'
  group by c_custkey) as c_orders
group by c_count order by custdist desc, c_count desc"""),
    15: ("construct subquery", """
with revenue as (
  select l_suppkey as supplier_no, sum(l_extendedprice * (1 - l_discount)) as total_revenue
  from lineitem where l_shipdate >= date '1996-01-01'
    and l_shipdate < date '1996-01-01' + interval '3' month group by l_suppkey)
select s_suppkey, s_name, total_revenue from supplier, revenue
where s_suppkey = supplier_no and total_revenue = (select max(total_revenue) from revenue)
order by s_suppkey"""),
    16: ("construct subquery", """
select p_brand, p_type, p_size, count(distinct ps_suppkey) as supplier_cnt from partsupp, part
where p_partkey = ps_partkey and p_brand <> 'Brand#45' and p_type not like 'MEDIUM POLISHED%'
  and p_size in (49, 14, 23, 45, 19, 3, 36, 9)
  and ps_suppkey not in (select s_suppkey from supplier where s_name like '%Complaints%')
group by p_brand, p_type, p_size order by supplier_cnt desc"""),
    17: ("construct subquery", """
select sum(l_extendedprice) / 7.0 as avg_yearly from lineitem, part
where p_partkey = l_partkey and p_brand = 'Brand#23' and p_container = 'MED BOX'
  and l_quantity < (select 0.2 * avg(l_quantity) from lineitem where l_partkey = p_partkey)"""),
    18: ("construct subquery", """
select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)
from customer, orders, lineitem
where o_orderkey in (select l_orderkey from lineitem group by l_orderkey
    having sum(l_quantity) > 300) and c_custkey = o_custkey and o_orderkey = l_orderkey
group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
order by o_totalprice desc limit 100"""),
    20: ("construct subquery", """
select s_name from supplier, nation where s_suppkey in (
    select ps_suppkey from partsupp where ps_partkey in (
      select p_partkey from part where p_name like 'forest%'))
  and s_nationkey = n_nationkey and n_name = 'CANADA' order by s_name"""),
    21: ("construct subquery", """
select s_name, count(*) as numwait from supplier, lineitem l1, orders, nation
where s_suppkey = l1.l_suppkey and o_orderkey = l1.l_orderkey and o_orderstatus = 'F'
  and l1.l_receiptdate > l1.l_commitdate
  and exists (select * from lineitem l2 where l2.l_orderkey = l1.l_orderkey
    and l2.l_suppkey <> l1.l_suppkey)
  and s_nationkey = n_nationkey and n_name = 'SAUDI ARABIA'
group by s_name order by numwait desc, s_name limit 100"""),
    22: ("function substring", """
select cntrycode, count(*) as numcust, sum(c_acctbal) as totacctbal from (
  select substring(c_name from 1 for 2) as cntrycode, c_acctbal from customer
  where substring(c_name from 1 for 2) in ('13', '31', '23')) as custsale
group by cntrycode order by cntrycode"""),
}  # fmt: skip

YEAR, MONTH = Grid(kind=GridKind.YEAR), Grid(kind=GridKind.MONTH)
PUBLISHED = {
    1: {"lineitem": {"l_returnflag": EXACT, "l_linestatus": EXACT, "l_shipdate": EXACT}},
    5: {"lineitem": {}, "orders": {"o_orderdate": YEAR}, "customer": {}, "supplier": {},
        "nation": {"n_name": EXACT}, "region": {"r_name": EXACT}},
    6: {"lineitem": {"l_shipdate": YEAR, "l_discount": EXACT, "l_quantity": EXACT}},
    7: {"lineitem": {"l_shipdate": YEAR}, "orders": {}, "customer": {}, "supplier": {},
        "nation": {"n_name": EXACT}},
    8: {"lineitem": {}, "orders": {"o_orderdate": YEAR}, "customer": {}, "supplier": {},
        "part": {"p_type": LISTED}, "nation": {"n_name": EXACT}, "region": {"r_name": EXACT}},
    9: {"lineitem": {}, "orders": {"o_orderdate": YEAR}, "supplier": {}, "part": {},
        "partsupp": {}, "nation": {"n_name": EXACT}},
    12: {"lineitem": {"l_shipmode": EXACT}, "orders": {}},
    14: {"lineitem": {"l_shipdate": MONTH}, "part": {"p_type": LISTED}},
    19: {"lineitem": {"l_quantity": EXACT, "l_shipmode": EXACT, "l_shipinstruct": EXACT},
         "part": {"p_brand": EXACT, "p_container": EXACT, "p_size": EXACT}},
}  # fmt: skip
"""Of each question that is answered, the grid on which a holder publishes what it names."""


def policy_for(number):
    """The tables one question names, on its grid, in its mode alone; three people at least."""
    mode = Mode(ANSWERED[number][0])
    grids = PUBLISHED[number]

    def on_grid(one, name):
        grid = grids[name].get(one.name)
        role = Role.FREE if one.role is Role.DIMENSION and grid is None else one.role
        return replace(one, grid=grid, role=role)

    tables = tuple(
        replace(one, threshold=3, columns=tuple(on_grid(each, one.name) for each in one.columns))
        for one in POLICY.tables
        if one.name in grids
    )
    dp = replace(POLICY.dp, contribution=1_000) if mode is Mode.DP else None
    joins = tuple(one for one in POLICY.joins if {one.left, one.right} <= {*grids})
    return replace(POLICY, tables=tables, joins=joins, modes=(mode,), dp=dp)


NATIONS = "['FRANCE', 'GERMANY', 'BRAZIL', 'CHINA', 'INDIA', 'CANADA', 'PERU', 'KENYA', 'JAPAN']"
TABLES = f"""
CREATE MACRO dice(n) AS (random() * n)::BIGINT % n;
CREATE MACRO day(n) AS DATE '1993-06-01' + dice(n)::INTEGER;
CREATE TABLE region AS SELECT i AS r_regionkey, ['ASIA', 'AMERICA', 'EUROPE'][i + 1] AS r_name
  FROM range(3) r(i);
CREATE TABLE nation AS SELECT i AS n_nationkey, {NATIONS}[i + 1] AS n_name, i % 3 AS n_regionkey
  FROM range(9) r(i);
CREATE TABLE supplier AS SELECT i AS s_suppkey, dice(9) AS s_nationkey, 'S' || i AS s_name
  FROM range(20) r(i);
CREATE TABLE customer AS SELECT i AS c_custkey, dice(9) AS c_nationkey, 'C' || i AS c_name,
  'BUILDING' AS c_mktsegment, 1.00::DECIMAL(15,2) AS c_acctbal FROM range(60) r(i);
CREATE TABLE part AS SELECT i AS p_partkey, ['Brand#12', 'Brand#23', 'Brand#34'][1 + dice(3)] AS
  p_brand, ['SM BOX', 'MED BAG', 'LG CASE'][1 + dice(3)] AS p_container, 1 + dice(12)::INTEGER AS
  p_size, ['PROMO PLATED TIN', 'ECONOMY ANODIZED STEEL'][1 + dice(2)] AS p_type,
  ['dark green', 'red', 'green'][1 + dice(3)] AS p_name FROM range(40) r(i);
CREATE TABLE partsupp AS SELECT p AS ps_partkey, s AS ps_suppkey,
  dice(100000)::DECIMAL(15,2) / 100 AS ps_supplycost, 1.00::DECIMAL(15,2) AS ps_availqty
  FROM range(40) a(p), range(20) b(s);
CREATE TABLE orders AS SELECT i AS o_orderkey, dice(60) AS o_custkey, day(1200) AS o_orderdate,
  ['1-URGENT', '2-HIGH', '5-LOW'][1 + dice(3)] AS o_orderpriority, 'F' AS o_orderstatus,
  '' AS o_comment, 1.00::DECIMAL(15,2) AS o_totalprice FROM range(900) r(i);
CREATE TABLE lineitem AS SELECT dice(900) AS l_orderkey, dice(40) AS l_partkey, dice(20) AS
  l_suppkey, (1 + dice(50))::DECIMAL(15,2) AS l_quantity,
  (dice(9000000) / 100)::DECIMAL(15,2) AS l_extendedprice,
  (dice(11) / 100)::DECIMAL(15,2) AS l_discount, (dice(9) / 100)::DECIMAL(15,2) AS l_tax,
  ['A', 'N', 'R'][1 + dice(3)] AS l_returnflag, ['O', 'F'][1 + dice(2)] AS l_linestatus,
  ['MAIL', 'SHIP', 'AIR', 'AIR REG'][1 + dice(4)] AS l_shipmode,
  'DELIVER IN PERSON' AS l_shipinstruct, day(1200) AS l_shipdate, day(1300) AS l_commitdate,
  day(1400) AS l_receiptdate FROM range(20000) r(i);
"""
