# `make` or `make help` lists what there is. `make demo` and `make test` need a Rust toolchain; what they need besides they
# install with apt: the second one servers and attackers' tools, see .ci/setup-tests.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A shell that was opened before rustup was installed does not find its programs.
export PATH := $(PATH):$(HOME)/.cargo/bin

CARGO ?= cargo
PREFIX ?= /usr/local
export APITAP := $(or $(CARGO_TARGET_DIR),$(CARGO_BUILD_TARGET_DIR),target)/release/apitap

# The demo's traffic: two hours of an ordinary day with these attacks in it.
DEMO_SEED ?= 7
DEMO_DURATION ?= 2h
DEMO_SCENARIOS ?= credential_stuffing client_error_spike:easy shadow_endpoint:easy excessive_data_exposure:easy \
	unauthenticated_data_exposure:easy object_enumeration:easy scanner:easy

# Seconds that `make fuzz` gives each target.
FUZZ_SECONDS ?= 300

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Check for what the build needs; install missing system packages (apt, needs rights)
	@.ci/setup

.PHONY: build
build: setup ## Build the release binary, target/release/apitap (or where CARGO_TARGET_DIR says)
	$(CARGO) build --release --bin apitap

.PHONY: demo
demo: build ## Make labelled traffic, replay it, compare the alerts with the truth (under 3 minutes warm)
	@rm -rf demo && mkdir demo
	@echo && echo "== Two hours of API traffic with known attacks"
	$(APITAP) simulate -o demo/traffic.pcap --seed $(DEMO_SEED) --duration $(DEMO_DURATION) $(DEMO_SCENARIOS:%=--scenario %)
	@echo && echo "== What apitap says about it"
	$(APITAP) replay demo/traffic.pcap --eve demo/alerts.json
	@echo && echo "== The first alert of high severity in full"
	@$(APITAP) tail demo/alerts.json --severity high --lines all --json --no-follow | head -n 1 | $(APITAP) tail - -v
	@echo && echo "== Against the truth (demo/traffic.truth.jsonl)"
	$(APITAP) evaluate --alerts demo/alerts.json --truth demo/traffic.truth.jsonl --false-from high --max-false 0

.PHONY: test
test: setup ## Run every test that fits in 15 minutes
	@.ci/setup-tests
	$(CARGO) test

.PHONY: kill-test
kill-test: setup ## Kill the daemon under load 200 times and look at what it left (10 minutes; APITAP_KILLS=200)
	APITAP_KILLS=$${APITAP_KILLS:-200} $(CARGO) test --test daemon_faults kill:: -- --nocapture

.PHONY: corruption-test
corruption-test: setup ## Damage its state at 500 places and start it each time (6 minutes; APITAP_CORRUPTIONS=500)
	APITAP_CORRUPTIONS=$${APITAP_CORRUPTIONS:-500} $(CARGO) test --test daemon_faults damage:: -- --nocapture

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt

.PHONY: lint
lint: setup ## Check format and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

.PHONY: doc
doc: setup ## Build the documentation of the code
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps

.PHONY: fuzz
fuzz: setup ## Fuzz every parser, FUZZ_SECONDS=300 each: an hour and a quarter with the build (nightly Rust and cargo-fuzz)
	@rustup run nightly cargo --version > /dev/null 2>&1 \
		|| { echo "make fuzz needs nightly Rust: rustup toolchain install nightly"; exit 1; }
	@$(CARGO) +nightly fuzz --version > /dev/null 2>&1 \
		|| { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz"; exit 1; }
	@targets=$$($(CARGO) +nightly fuzz list); \
	echo "$$(wc -w <<< "$$targets") targets, $(FUZZ_SECONDS) s each"; \
	for target in $$targets; do \
		echo "== $$target"; \
		seeds=$$(.ci/fuzz-seeds "$$target"); \
		mkdir -p "fuzz/corpus/$$target"; \
		$(CARGO) +nightly fuzz run "$$target" "fuzz/corpus/$$target" $$seeds -- -max_total_time=$(FUZZ_SECONDS); \
	done

.PHONY: soak
soak: build ## 75 minutes on a wire at 10,000 transactions/s, then 36 hours through a pipe in 30 minutes; 1 % hostile, memory watched (root, tcpreplay)
	.ci/soak

.PHONY: hostile
hostile: build ## What each kind of hostile stream costs beside innocent traffic, and that it takes none of it (10 minutes)
	.ci/hostile

.PHONY: soak-replay
soak-replay: build ## Replay a week of traffic of 4,000 clients and watch the memory (about 20 minutes)
	.ci/soak-replay

.PHONY: accuracy
accuracy: build ## Every attack at every level on 20 seeds, and 7 clean days: writes docs/ACCURACY.md (about an hour)
	.ci/accuracy

.PHONY: loss
loss: build ## What 0.1, 1 and 5 % of lost frames cost, beside tshark (about 2 minutes)
	.ci/loss

.PHONY: bench
bench: setup ## Measure speed and memory (about 10 minutes; see docs/PERFORMANCE.md)
	$(CARGO) bench

# As root by sudo, cargo is seldom found, and what it builds would be root's.
.PHONY: install
install: ## Install program, manual page and shell completions below PREFIX=/usr/local (sudo: `make build` first)
	@if [ -z "$${SUDO_USER:-}" ]; then $(MAKE) --no-print-directory build; \
	elif [ ! -x $(APITAP) ]; then \
		echo "there is no $(APITAP) to install: run \`make build\` first, without sudo" >&2; exit 1; \
	fi
	install -D -m 755 $(APITAP) $(DESTDIR)$(PREFIX)/bin/apitap
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(APITAP) man > $(DESTDIR)$(PREFIX)/share/man/man1/apitap.1
	$(APITAP) completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/apitap
	$(APITAP) completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_apitap
	$(APITAP) completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/apitap.fish

# As for the release, so for its packages: the version is that of Cargo.toml.
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
TARBALL = target/apitap-$(VERSION)-$(shell uname -m)-linux

.PHONY: deb
deb: build ## Debian package, target/debian/apitap_VERSION_ARCH.deb (seconds after the build; needs cargo-deb)
	@$(CARGO) deb --version > /dev/null 2>&1 || { echo "make deb needs cargo-deb: cargo install --locked cargo-deb"; exit 1; }
	packaging/generate $(APITAP) packaging/generated
	$(CARGO) deb --no-build --output target/debian/

.PHONY: package-test
package-test: setup ## Install, start, upgrade, remove, purge the package in a chroot (root; 10 s, the first time 1 min)
	$(CARGO) test --no-run --test package  # its program is the one that the tests were made with
	packaging/test $(patsubst %/release/apitap,%/debug/apitap,$(APITAP))

.PHONY: tarball
tarball: build ## Release tarball, target/apitap-VERSION-ARCH-linux.tar.gz (seconds after the build)
	packaging/tarball $(APITAP) $(TARBALL)

.PHONY: clean
clean: ## Remove what was built and the demo
	$(CARGO) clean
	rm -rf demo
