-- SPDX-License-Identifier: Apache-2.0
SELECT
  sum((CAST(CASE WHEN ("lingqu_s0"."sal" < $1) THEN $2 WHEN ($3 < "lingqu_s0"."sal") THEN $4 ELSE "lingqu_s0"."sal" END AS DECIMAL(9,2)) * CAST(CASE WHEN ("lingqu_s0"."tax" < $5) THEN $6 WHEN ($7 < "lingqu_s0"."tax") THEN $8 ELSE "lingqu_s0"."tax" END AS DECIMAL(3,2)))) AS "lingqu_a0",
  sum(CAST(CASE WHEN ("lingqu_s0"."sal" < $9) THEN $10 WHEN ($11 < "lingqu_s0"."sal") THEN $12 ELSE "lingqu_s0"."sal" END AS DECIMAL(9,2))) AS "lingqu_a1"
FROM "t" AS "lingqu_s0"
WHERE (($13 <= "lingqu_s0"."d") AND ("lingqu_s0"."d" < $14))
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
