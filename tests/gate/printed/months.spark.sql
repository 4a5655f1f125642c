-- SPDX-License-Identifier: Apache-2.0
SELECT
  sum((CAST(CASE WHEN (`lingqu_s0`.`sal` < :p1) THEN :p2 WHEN (:p3 < `lingqu_s0`.`sal`) THEN :p4 ELSE `lingqu_s0`.`sal` END AS DECIMAL(9,2)) * CAST(CASE WHEN (`lingqu_s0`.`tax` < :p5) THEN :p6 WHEN (:p7 < `lingqu_s0`.`tax`) THEN :p8 ELSE `lingqu_s0`.`tax` END AS DECIMAL(3,2)))) AS `lingqu_a0`,
  sum(CAST(CASE WHEN (`lingqu_s0`.`sal` < :p9) THEN :p10 WHEN (:p11 < `lingqu_s0`.`sal`) THEN :p12 ELSE `lingqu_s0`.`sal` END AS DECIMAL(9,2))) AS `lingqu_a1`
FROM `t` AS `lingqu_s0`
WHERE ((:p13 <= `lingqu_s0`.`d`) AND (`lingqu_s0`.`d` < :p14))
-- 1: 0
-- 2: 0
-- 3: 1000000
-- 4: 1000000
-- 5: 0
-- 6: 0
-- 7: 1
-- 8: 1
-- 9: 0
-- 10: 0
-- 11: 1000000
-- 12: 1000000
-- 13: datetime.date(2020, 1, 1)
-- 14: datetime.date(2020, 4, 1)
