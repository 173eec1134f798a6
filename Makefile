# SPDX-License-Identifier: GPL-2.0-or-later
# A front for meson: each target does its whole job, from a fresh clone on.
.DEFAULT_GOAL := build
.PHONY: help build demo test check sanitize fuzz bench install clean

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
export FUZZ_SECONDS
comma := ,

# $(call compile,DIRECTORY,OPTIONS): set up once, build.
compile = @{ test -f $(1)/build.ninja || meson setup $(1) --prefix=$(PREFIX) $(2); } && \
	ninja -C $(1); $(give)
# What root made is left to the owner of the checkout: `make` works after `sudo make demo`.
give = status=$$?; test "$$(id -u)" -ne 0 || chown -hR --reference=. $(1); exit $$status

help:
	@echo "make            build: the program is build/holdfast"
	@echo "sudo make demo  install what is missing, build, show Holdfast at work"
	@echo "sudo make test  install what is missing, build, run every test"
	@echo "make check      clang-format and clang-tidy"
	@echo "make sanitize   unit tests under address and undefined-behaviour sanitizers"
	@echo "make fuzz       each fuzz target for FUZZ_SECONDS ($(FUZZ_SECONDS))"
	@echo "sudo make bench benchmarks against their peers"
	@echo "make install    program, library, manual, completions (PREFIX, DESTDIR)"
	@echo "make clean      remove what was built"

build:
	@scripts/install-dependencies build
	$(call compile,build)

demo: build
	@build/holdfast demo

test:
	@scripts/install-dependencies test
	$(call compile,build-test,-Dtests=true -Dwerror=true)
	@scripts/run-tests build-test; $(call give,build-test)

check:
	@scripts/install-dependencies test
	$(call compile,build-test,-Dtests=true -Dwerror=true)
	@scripts/check-format
	@scripts/check-tidy build-test

sanitize:
	@scripts/install-dependencies test
	$(call compile,build-sanitize,-Dtests=true -Dwerror=true -Doptimization=1 \
		-Db_sanitize=address$(comma)undefined)
	@meson test -C build-sanitize --no-rebuild --print-errorlogs --suite unit

fuzz: export CC = clang
fuzz:
	@scripts/install-dependencies test
	$(call compile,build-fuzz,-Dfuzz=true -Dwerror=true -Db_lundef=false \
		-Db_sanitize=address$(comma)undefined)
	@meson test -C build-fuzz --no-rebuild --print-errorlogs --suite fuzz

bench:
	@scripts/install-dependencies bench
	$(call compile,build-bench,-Dbench=true)
	@bench/run build-bench/holdfast

install: build
	@meson configure build --prefix=$(PREFIX)
	@meson install -C build

clean:
	rm -rf build build-test build-sanitize build-fuzz build-bench build-gcc build-clang
