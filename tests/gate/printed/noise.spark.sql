-- SPDX-License-Identifier: Apache-2.0
SELECT
  count(`lingqu_s0`.`tax`) AS `lingqu_a0`,
  count(*) AS `lingqu_a1`
FROM `t` AS `lingqu_s0`
WHERE ((`lingqu_s0`.`age` IS NOT NULL) AND (`lingqu_s0`.`city` IS NOT NULL) AND (`lingqu_s0`.`name` IS NOT NULL) AND (NOT (`lingqu_s0`.`name` LIKE :p1)) AND (`lingqu_s0`.`age` < `lingqu_s0`.`city`))
-- 1: 'a%'
