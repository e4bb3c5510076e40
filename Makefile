# make [config=release|native|debug|asan|msan|tsan|gradcheck|coverage|fuzz] [target]; `make help` lists
# targets.
# Each config has its own folder build/<config>/. Only `release` is meant to be handed on: a portable
# baseline plus kernels for newer instruction sets that are chosen at run time.

config ?= release
V      ?= 0 # 1: whole commands instead of a word and a file
CC     ?= cc
BUILD  := build/$(config)
FLOORS := base format text engine image mini models probe nem nem/clip nem/dissect nem/milan attribution attack study training report

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat-security -Wdouble-promotion -Wundef -Wvla -Wconversion -Wno-sign-conversion -Wno-psabi
CFLAGS   := -std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -pthread $(WARNINGS) $(EXTRA_CFLAGS)
LDFLAGS  := $(EXTRA_LDFLAGS)
LDLIBS   := -lm -pthread
accepted = $(shell $(CC) -Werror $(1) -c -x c /dev/null -o /dev/null 2>/dev/null && echo $(1))

ifeq ($(config),release)
  CFLAGS += -O2 -g1 -DNDEBUG -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
            $(call accepted,-fstack-clash-protection) $(call accepted,-fcf-protection=full)
  LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack
else ifeq ($(config),native)
  CFLAGS += -O3 -g1 -march=native -DNDEBUG $(call accepted,-Wno-format-truncation) \
            $(call accepted,-Wno-stringop-overflow) # -O3 makes gcc see lengths that cannot be
else ifeq ($(config),debug)
  CFLAGS += -O0 -g3
else ifeq ($(config),asan)
  CFLAGS += -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  LDFLAGS += -fsanitize=address,undefined
else ifeq ($(config),msan) # clang's alone
  ifeq ($(origin CC),default)
    CC := clang
  endif
  CFLAGS += -O1 -g -fsanitize=memory -fno-sanitize-recover=all -fno-omit-frame-pointer
  LDFLAGS += -fsanitize=memory
else ifeq ($(config),tsan)
  CFLAGS += -O1 -g -fsanitize=thread
  LDFLAGS += -fsanitize=thread
else ifeq ($(config),gradcheck)
  CFLAGS += -O2 -g -DREAL_IS_DOUBLE
else ifeq ($(config),coverage)
  CFLAGS += -O0 -g --coverage
  LDFLAGS += --coverage
else ifeq ($(config),fuzz) # by clang, or with CC=afl-clang-fast
  CFLAGS += -O1 -g1 -fsanitize=fuzzer-no-link -fsanitize=address,undefined -fno-sanitize-recover=all
  LDFLAGS += -fsanitize=address,undefined
else
  $(error unknown config '$(config)')
endif

ifeq ($(strip $(V)),0)
  said = @printf '  %-4s %s\n' $(1) $(2);
endif

MACHINE := $(shell $(CC) -dumpmachine)
ISA_FILES := engine/isa_portable.c
ifneq ($(config),gradcheck)
  ifneq ($(filter x86_64%,$(MACHINE)),)
    ISA_FILES += engine/isa_avx2.c engine/isa_avx512.c
  else ifneq ($(filter aarch64%,$(MACHINE)),)
    ISA_FILES += engine/isa_neon.c
  endif
endif

LIBRARY_SOURCES := $(filter-out $(wildcard engine/isa_*.c),$(foreach f,$(FLOORS),$(wildcard $(f)/*.c))) $(ISA_FILES)
CLI_SOURCES     := $(wildcard cli/*.c)
TOY_SOURCES     := $(wildcard tests/toy/*.c)
FUZZ_SOURCES    := $(wildcard tests/fuzz/fuzz_*.c) tests/fuzz/file.c tests/blob_builder.c \
                   tests/token_tables.c
TEST_SOURCES    := $(sort $(wildcard tests/*.c) $(FUZZ_SOURCES) tests/toy/palette.c)
OBJECTIVES      := $(addprefix training/,adversarial.c alignment.c contrastive.c cross_entropy.c description.c hessian.c modes.c objective% triplet.c)
ifeq ($(config),gradcheck) # rules in double: the engine, what is built of its nodes, and checks
  LIBRARY_SOURCES := $(filter base/% text/% image/axis% engine/% models/% attribution/% attack/map_% $(OBJECTIVES),$(LIBRARY_SOURCES))
  CLI_SOURCES     :=
  TEST_SOURCES    := tests/test.c $(wildcard tests/check_*.c)
endif
BENCH_SOURCES   := $(filter-out $(wildcard bench/peak_*.c),$(wildcard bench/*.c)) \
                   $(subst engine/isa_,bench/peak_,$(ISA_FILES)) tests/blob_builder.c tests/drawn_roberta.c \
                   tests/token_tables.c
FUZZ_TARGETS    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
object = $(patsubst %.c,$(BUILD)/objects/%.o,$(1))

.PHONY: all test demo demo-weights bench bench-compare bench-peers peers layers references hardened analyse memcheck format format-check man completion clean help
all: nemesis

nemesis: $(BUILD)/nemesis
	@cp -f $< $@

$(BUILD)/nemesis: $(call object,$(LIBRARY_SOURCES) $(CLI_SOURCES))
$(BUILD)/tests:   $(call object,$(LIBRARY_SOURCES) $(filter-out cli/main.c,$(CLI_SOURCES)) $(TEST_SOURCES))
$(BUILD)/bench:   $(call object,$(LIBRARY_SOURCES) $(BENCH_SOURCES))
# The program with a method more, to show that a method is nothing but its files and the table.
$(BUILD)/toy:     $(call object,$(filter-out nem/methods.c,$(LIBRARY_SOURCES)) $(CLI_SOURCES) $(TOY_SOURCES))
$(BUILD)/nemesis $(BUILD)/tests $(BUILD)/bench $(BUILD)/toy:
	$(call said,LINK,$@)$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS)

# Its assembler text takes these files in.
$(BUILD)/objects/models/embedded.o: models/zoo/towers.nw models/zoo/captioner.nw

# The texts re-included per instruction set are tuned by these flags alone.
$(BUILD)/objects/engine/isa_avx2.o $(BUILD)/objects/bench/peak_avx2.o:     CFLAGS += -O3 -mavx2 -mfma
$(BUILD)/objects/engine/isa_avx512.o $(BUILD)/objects/bench/peak_avx512.o: CFLAGS += -O3 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
$(BUILD)/objects/engine/isa_neon.o $(BUILD)/objects/bench/peak_neon.o:     CFLAGS += -O3

# gcc 12 for aarch64 dies of an internal error on loops that take a maximum of doubles.
ifneq ($(filter aarch64%,$(MACHINE)),)
$(BUILD)/objects/tests/%.o $(BUILD)/objects/bench/%.o: CFLAGS += -fno-tree-loop-vectorize
endif

$(BUILD)/objects/%.o: %.c
	@mkdir -p $(@D)
	$(call said,CC,$<)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

ifeq ($(config),gradcheck)
test: $(BUILD)/tests
	@$(BUILD)/tests
else
test: $(BUILD)/tests $(BUILD)/bench $(BUILD)/nemesis $(BUILD)/toy ## build and run the test suite
	@NEMESIS=$(BUILD)/nemesis BENCH=$(BUILD)/bench TOY=$(BUILD)/toy sh tests/in_memory.sh sh tests/run.sh $(BUILD)/tests
endif

demo: nemesis ## build, then run the main job in small: under two minutes, nothing to download
	@sh demo/run.sh ./nemesis

demo-weights: nemesis ## train the demo's networks again and compare them with those that are there
	@sh demo/train.sh ./nemesis

bench: $(BUILD)/bench ## print twelve figures of throughput in two minutes, or all of them with ALL=1
	@$(BUILD)/bench $(if $(ALL),--all)

bench-compare: $(BUILD)/bench ## measure again and compare with BASE=file, an output of `bench --json`
	@sh bench/compare.sh $(BUILD)/bench $(BUILD) "$(BASE)" $(OPTIONS)

bench-peers: $(BUILD)/bench ## in turns with ONNX Runtime, PyTorch and OpenBLAS, where they are installed
	@sh bench/peers/run.sh $(BUILD)/bench

peers: ## install what bench-peers can use of npm into build/peers
	@sh bench/peers/install.sh build/peers

.PHONY: faults
FAULTS ?= all
KILLS  ?= all
faults: $(BUILD)/tests ## fail every allocation and file operation, kill runs everywhere (FAULTS=n KILLS=n: samples)
	@FAULTS=$(FAULTS) KILLS=$(KILLS) sh tests/in_memory.sh $(BUILD)/tests faults kills

.PHONY: fuzz fuzz-afl fuzz-programs
# One program a parser. What puts checksums right is named where the format has some.
fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/fuzz_%) $(BUILD)/seeds
fuzz_define = -DTARGET=$(1) $(if $(filter blob inflate png,$(1)),-DREPAIR=$(1))

$(BUILD)/fuzz.a: $(call object,$(LIBRARY_SOURCES) $(filter-out cli/main.c,$(CLI_SOURCES)) $(FUZZ_SOURCES))
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/fuzz_%: tests/fuzz/entry.c $(BUILD)/fuzz.a
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer $(call fuzz_define,$*) $^ -o $@ $(LDLIBS)

$(BUILD)/seeds: $(call object,tests/fuzz/seeds.c) $(BUILD)/fuzz.a
	$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS)

# What AFL++ loads to put checksums right; libFuzzer has it inside. Only what that needs is linked.
$(BUILD)/repair_%.so: tests/fuzz/entry.c tests/fuzz/fuzz_%.c tests/fuzz/fuzz_inflate.c \
                      tests/blob_builder.c base/digest.c
	@mkdir -p $(@D)
	clang $(filter-out -fsanitize=%,$(CFLAGS)) -shared -fPIC -fvisibility=hidden -ffunction-sections \
	    -Wl,--gc-sections,-z,defs -DAFL_MUTATOR -DREPAIR=$* $(sort $^) -o $@ $(LDLIBS)

SECONDS ?= 60
fuzz: ## fuzz every parser, or TARGET=png, for SECONDS=n each
	@$(MAKE) config=fuzz CC=clang fuzz-programs
	@sh tests/fuzz/run.sh build/fuzz $(SECONDS) $(TARGET)

fuzz-afl: ## the same for one TARGET=png by AFL++
	@$(MAKE) config=fuzz CC=afl-clang-fast BUILD=build/afl $(addprefix build/afl/,seeds fuzz_$(TARGET) \
	    $(if $(findstring REPAIR,$(call fuzz_define,$(TARGET))),repair_$(TARGET).so))
	@sh tests/fuzz/afl.sh build/afl $(SECONDS) $(TARGET)

.PHONY: digests
digests: $(BUILD)/nemesis ## check that result files have the bytes that tests/digests.tsv says
	@sh tests/digests.sh $(BUILD)/nemesis build/digests $(WRITE)

layers: ## check who includes whom, and who names a method
	@sh tests/layers.sh

references: ## check that references like (D4) lead to a formula of docs/methods
	@sh tests/references.sh

hardened: $(BUILD)/nemesis ## check that the program carries its defences and calls nothing it must not
	@sh tests/hardened.sh $(BUILD)/nemesis $(BUILD)/objects

analyse: ## clang-tidy and cppcheck on every source
	@sh tests/analyse.sh

memcheck: $(BUILD)/nemesis ## valgrind on a small run of every long verb
	@sh tests/memcheck.sh $(BUILD)/nemesis

FORMATTED = $(wildcard $(foreach f,$(FLOORS) cli tests tests/fuzz tests/toy bench,$(f)/*.[ch]))
format: ## apply .clang-format to every source
	@clang-format -i $(FORMATTED)

format-check: ## check that `make format` would change nothing
	@clang-format --dry-run -Werror $(FORMATTED)

man: nemesis ## write build/nemesis.1, made from the tables of options
	@mkdir -p build
	@./nemesis man > build/nemesis.1
	@echo "build/nemesis.1: read it by man ./build/nemesis.1"

completion: nemesis ## write build/completion/: scripts for bash, zsh and fish
	@mkdir -p build/completion
	@./nemesis completion bash > build/completion/nemesis
	@./nemesis completion zsh > build/completion/_nemesis
	@./nemesis completion fish > build/completion/nemesis.fish
	@echo "build/completion: for bash, . build/completion/nemesis"

PREFIX ?= /usr/local
.PHONY: install
install: nemesis man completion ## copy program, manual page and completions to PREFIX (DESTDIR in front)
	install -D -m 755 nemesis $(DESTDIR)$(PREFIX)/bin/nemesis
	install -D -m 644 build/nemesis.1 $(DESTDIR)$(PREFIX)/share/man/man1/nemesis.1
	install -D -m 644 build/completion/nemesis $(DESTDIR)$(PREFIX)/share/bash-completion/completions/nemesis
	install -D -m 644 build/completion/_nemesis $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_nemesis
	install -D -m 644 build/completion/nemesis.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/nemesis.fish

clean: ## remove what was built
	rm -rf build nemesis

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | sort
