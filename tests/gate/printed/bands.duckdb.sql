-- SPDX-License-Identifier: Apache-2.0
SELECT
  CASE WHEN ("lingqu_s0"."age" < $1) THEN NULL WHEN ("lingqu_s0"."age" < $2) THEN $3 WHEN ("lingqu_s0"."age" < $4) THEN $5 WHEN ("lingqu_s0"."age" < $6) THEN $7 ELSE NULL END AS "lingqu_g0",
  CAST(date_trunc('month', "lingqu_s0"."d") AS DATE) AS "lingqu_g1",
  year("lingqu_s0"."d") AS "lingqu_g2",
  count(DISTINCT "lingqu_s0"."pid") AS "lingqu_a0",
  max(CAST(CASE WHEN ("lingqu_s0"."tax" < $8) THEN $9 WHEN ($10 < "lingqu_s0"."tax") THEN $11 ELSE "lingqu_s0"."tax" END AS DECIMAL(3,2))) AS "lingqu_a1"
FROM "t" AS "lingqu_s0"
WHERE ((($12 <= "lingqu_s0"."age") AND ("lingqu_s0"."age" < $13)) OR (("lingqu_s0"."city" IN ($14, $15)) OR ("lingqu_s0"."city" IS NULL)))
GROUP BY "lingqu_g0", "lingqu_g1", "lingqu_g2"
-- 1: 0
-- 2: 18
-- 3: 0
-- 4: 60
-- 5: 18
-- 6: 150
-- 7: 60
-- 8: 0
-- 9: 0
-- 10: 1
-- 11: 1
-- 12: 18
-- 13: 60
-- 14: 1
-- 15: 3
