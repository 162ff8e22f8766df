# make render PROMPT="a red apple": renders a picture. make test: the tests. Both install what is missing, when they may.
PACKAGES := libopenblas-dev libpng-dev libzmq3-dev libprotobuf-c-dev pkg-config

# What the user may set. A prompt may hold quotes, dollar signs and anything else: `value` takes the text as it was given,
# and it reaches the recipe through the environment, where neither make nor the shell reads it again.
PROMPT ?=
OUT ?= clusca.png
ARGS ?=
PREFIX ?= /usr/local
unexport PROMPT OUT
export CLUSCA_PROMPT := $(value PROMPT)
export CLUSCA_OUT := $(value OUT)

MODELS := flux dit hunyuan
MODELS_FOLDER = $(abspath $(DESTDIR)$(PREFIX))/share/clusca/models

.DEFAULT_GOAL := help
.PHONY: help render test sanitize fuzz bench format messages packages install
.PHONY: train-flux train-dit train-video evaluate-flux evaluate-dit evaluate-video

help: ## shows this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  make render PROMPT="a red apple" [OUT=clusca.png] [ARGS="--seed 7 --steps 25"]'
	@echo '  ARGS takes any options of clusca generate; see .build/release/clusca generate --help'

render: packages ## renders PROMPT with the default model and says where the picture is
	@[ -n "$$CLUSCA_PROMPT" ] || { echo 'A prompt is missing: make render PROMPT="a red apple"' >&2; exit 2; }
	swift build -c release --product clusca
	@pictures=$$(.build/release/clusca generate --prompt="$$CLUSCA_PROMPT" --output="$$CLUSCA_OUT" $(ARGS)) && \
	  printf 'The picture is here: %s\n' "$$pictures"

install: packages ## builds clusca and installs it with its models below PREFIX (/usr/local)
	swift build -c release --product clusca
	install -D -m 755 .build/release/clusca "$(DESTDIR)$(PREFIX)/bin/clusca"
	for model in $(MODELS); do \
	  (cd Sources/DefaultModels && find $$model -type f -exec install -D -m 644 '{}' "$(MODELS_FOLDER)/{}" ';') || exit 1; done

# One test writes the messages anew and compares. Tests of clusters come by themselves: with those that only compute beside
# them, workers would not get to answer in time; and so do those that wait for processes and block threads meanwhile.
test: PACKAGES += protobuf-c-compiler
CLUSTERS := ^(MessagingTests|RenderClusterTests)\.
PROCESSES := ^CommandLineTests\.
TEST = swift test -c release -Xswiftc -enable-testing
test: packages ## checks the formatting and runs all tests
	swift format lint --strict --recursive --parallel Sources Tests Package.swift
	$(TEST) --skip '$(CLUSTERS)' --skip '$(PROCESSES)'
	$(TEST) --skip-build --filter '$(CLUSTERS)'
	$(TEST) --skip-build --filter '$(PROCESSES)'

# What has threads, sockets, files or pointers of its own, without what only computes: unoptimised kernels are some thirty
# times slower. Left out are also simulated clusters, which have one thread, and tests about time or resident memory. What the
# sanitizers find ends the tests with a failure.
SANITIZED := ^(FilesTests|StrictJSONTests|TorchFilesTests|MessagingTests|ConditioningTests|RenderClusterTests|MediaTests)
UNSANITIZED := SimulationTests|PlantedBugTests|everyCutIntoFourStages|anyNumberOfWorkersGivesTheSameLatents|Quickly|$\
  TakesLittleTime|longTextsTakeTimeInProportion|itIsNeverBetterThanTheExactSearch|sixtyFourWorkers|$\
  aTensorCrossesAConnectionWithCurve|aMessageWithoutEndIsCutAndItsPeerNotHeard
sanitize: packages ## runs tests with the thread and address sanitizers
	CLUSCA_THREAD_SANITIZING=1 swift test --no-parallel -c debug --sanitize=thread --scratch-path .build-tsan --filter '$(SANITIZED)' --skip '$(UNSANITIZED)'
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/leaks.txt:print_suppressions=0 \
	  swift test --no-parallel -c debug --sanitize=address --scratch-path .build-asan --filter '$(SANITIZED)' --skip '$(UNSANITIZED)'

# libFuzzer with the sanitizer of addresses, a target on each core. What a run finds new goes into the folder of the build.
RUNS ?= 1000000
SEED ?= 1
TARGETS ?= $$(.build-fuzz/release/Fuzzing)
FUZZING := --sanitize address --sanitize fuzzer -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing
fuzz: export CLUSCA_FUZZING := 1
fuzz: packages ## feeds RUNS (1000000) mutated inputs to each of TARGETS (all) that reads foreign bytes; SEED=0 for other ones
	swift build -c release --product Fuzzing $(FUZZING) --scratch-path .build-fuzz
	@printf '%s\n' $(TARGETS) | xargs -P "$$(nproc)" -I '{}' Tests/Fuzzing/fuzz.sh '{}' $(RUNS) $(SEED)

format: ## formats the sources
	swift format --in-place --recursive --parallel Sources Tests Package.swift

messages: ## writes Sources/CMessages anew from Proto (needs protobuf-c-compiler)
	protoc-c --proto_path=Proto --c_out=Sources/CMessages clusca.proto
	mv Sources/CMessages/clusca.pb-c.h Sources/CMessages/include/

# With PYTHON, one that has Tests/Benchmarks/PyTorch/requirements.txt, PyTorch does the same work by turns; with SDCPP, the
# program that Tests/Benchmarks/StableDiffusionCpp builds, stable-diffusion.cpp does.
PYTHON ?=
SDCPP ?=
BESIDE = $(if $(PYTHON),--python '$(PYTHON)')
BESIDE_SDCPP = $(if $(SDCPP),--stable-diffusion-cpp '$(SDCPP)')
bench: packages ## measures steps, runs, encoders, growth, pipelines, kernels and caching, as JSON; PYTHON=… SDCPP=… time others too
	swift build -c release --product Benchmarks
	swift build -c release --product clusca
	.build/release/Benchmarks step --models dit-256 flux-512 flux-1024 hunyuan-4k --rounds 3 $(BESIDE) $(BESIDE_SDCPP)
	.build/release/Benchmarks runs --rounds 2
	.build/release/Benchmarks runs --outputs bfloat16 --differences bfloat16 --rounds 2
	.build/release/Benchmarks step --models dit-256 flux-512 --dtype float32 --rounds 3 $(BESIDE) $(BESIDE_SDCPP)
	.build/release/Benchmarks step --models dit-256 flux-512 --dtype int8 --rounds 3 $(BESIDE_SDCPP)
	$(if $(PYTHON),.build/release/Benchmarks parts $(BESIDE))
	.build/release/Benchmarks growth --tokens 256 1024 4096 --heads 12 24 --rounds 1
	.build/release/Benchmarks pipelines
	.build/release/Benchmarks kernels --quick
	.build/release/clusca bench --prompts Tests/Benchmarks/prompts.txt --limit 4 --size 128x128 --cfg-scale 1 \
	  --policies "clusca:interval=3;clusca:interval=5;taylorseer:interval=5,max_order=2" --out .build/bench

# Sources/Training/README.md says how their environment is set up.
train-flux: ## trains the default FLUX in the background, or goes on
	Sources/Training/background.sh start Training.train_flux $(ARGS)

train-dit: ## trains the default DiT in the background, or goes on
	Sources/Training/background.sh start Training.train_dit $(ARGS)

train-video: ## trains the default HunyuanVideo in the background, or goes on
	Sources/Training/background.sh start Training.train_video $(ARGS)

evaluate-flux: ## says how often pictures of the training's FLUX show what is asked for
	PYTHONPATH=Sources .training/venv/bin/python -m Training.evaluation --family flux $(ARGS)

evaluate-dit: ## says how often pictures of the training's DiT show what is asked for
	PYTHONPATH=Sources .training/venv/bin/python -m Training.evaluation --family dit $(ARGS)

evaluate-video: ## says how often videos of the training's HunyuanVideo show and move as asked
	PYTHONPATH=Sources .training/venv/bin/python -m Training.video_evaluation $(ARGS)

packages: ## installs the Debian packages that are missing when it may, else names them
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q '^install ok' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y --no-install-recommends $$missing; \
	  else echo "These packages are missing; install them with: sudo apt-get install" $$missing >&2; exit 1; fi; fi
