-- SPDX-License-Identifier: Apache-2.0
SELECT
  `lingqu_s0`.`city` AS `lingqu_g0`,
  sum(CAST(CASE WHEN (`lingqu_s0`.`sal` < :p1) THEN :p2 WHEN (:p3 < `lingqu_s0`.`sal`) THEN :p4 ELSE `lingqu_s0`.`sal` END AS DECIMAL(9,2))) FILTER (WHERE (`lingqu_s0`.`mon` IN (:p5))) AS `lingqu_a0`
FROM `t` AS `lingqu_s0`
GROUP BY `lingqu_g0`
-- 1: 0
-- 2: 0
-- 3: 1000000
-- 4: 1000000
-- 5: 1
