# SPDX-License-Identifier: Apache-2.0
# Each target hands its name to tools/bootstrap.py, which makes .venv when needed and goes on.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p && break; done)
DO = @$(or $(PYTHON),$(error Lingqu needs Python 3.11 or newer, and no python3 is on PATH)) tools/bootstrap.py $@
export T N SEED FRESH UPGRADE NO_BROWSER PROFILE LANG_UI PROVINCE SCREENSHOTS
.DEFAULT_GOAL := help
.PHONY: help setup dev demo test test-crash test-all screenshots check fix golden migration bench psql shell docs lock fuzz slices doctor clean

help:       ; $(DO) ## list these targets
setup:      ; $(DO) ## make .venv from the hash-locked requirements; every other target does this by itself
demo:       ; $(DO) ## run Lingqu's main job and leave it running in the browser (FRESH=1 PROFILE=... LANG_UI=en)
dev:        ; $(DO) ## serve this checkout and restart when a source file changes
test:       ; $(DO) ## check, then all tests in parallel; T=tests/market runs only that (NO_BROWSER=1)
test-crash: ; $(DO) ## 200 seeded rounds of killing processes and the database
test-all:   ; $(DO) ## the full matrix: everything test does, every browser case, every crash round
screenshots: ; $(DO) ## draw every page at desktop and phone width into screenshots/ (SCREENSHOTS=folder)
check:      ; $(DO) ## formatting, lint, types, import contracts, tidy tests
fix:        ; $(DO) ## format and mend what the linter can mend
golden:     ; $(DO) ## regenerate the import contracts and docs/reference
migration:  ; $(DO) ## N=add_something makes the next numbered SQL file
bench:      ; $(DO) ## measure against the baselines; prints both sides
fuzz:       ; $(DO) ## try N hostile statements (a million) against the reading of queries (SEED=...)
psql:       ; $(DO) ## psql on this checkout's database
shell:      ; $(DO) ## a Python shell with an open transaction
docs:       ; $(DO) ## check links, refresh the reference and render the documentation into site/
lock:       ; $(DO) ## resolve requirements/*.in into hash-locked files (UPGRADE=1 takes newer versions)
slices:     ; $(DO) ## cut the demonstration's real tables out of published packages (PROVINCE=45)
doctor:     ; $(DO) ## say what is missing or wrong on this machine and how to mend it
clean:      ; $(DO) ## remove caches and built files; keeps .venv and all data
