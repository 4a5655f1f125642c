-- SPDX-License-Identifier: Apache-2.0
SELECT
  "lingqu_s0"."region" AS "lingqu_g0",
  count("lingqu_s1"."sal") AS "lingqu_a0",
  sum(CAST(CASE WHEN ("lingqu_s1"."sal" < $1) THEN $2 WHEN ($3 < "lingqu_s1"."sal") THEN $4 ELSE "lingqu_s1"."sal" END AS DECIMAL(9,2))) AS "lingqu_a1"
FROM "c" AS "lingqu_s0"
JOIN "t" AS "lingqu_s1" ON ("lingqu_s1"."city" = "lingqu_s0"."city")
GROUP BY "lingqu_g0"
-- 1: 0
-- 2: 0
-- 3: 1000000
-- 4: 1000000
