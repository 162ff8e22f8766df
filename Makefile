# make test: installs what is missing, checks the formatting, runs the tests.
# make bench: measures caching and kernels, in a few minutes.
PACKAGES := libopenblas-dev libpng-dev libzmq3-dev libprotobuf-c-dev pkg-config

.PHONY: test packages format bench

test: packages
	swift format lint --strict --recursive --parallel Sources Tests Package.swift
	swift test -c release -Xswiftc -enable-testing

format:
	swift format --in-place --recursive --parallel Sources Tests Package.swift

bench: packages
	swift run -c release Benchmarks caching --limit 4 --cfg-scale 1 --intervals 3 5
	swift run -c release Benchmarks kernels --quick

# Installs the Debian packages that are missing when it may, else names them.
packages:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q '^install ok' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y --no-install-recommends $$missing; \
	  else echo "These packages are missing; install them with: sudo apt-get install" $$missing >&2; exit 1; fi; fi
