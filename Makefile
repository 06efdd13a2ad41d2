# SPDX-License-Identifier: GPL-3.0-or-later
#
# make            build the command, the crash extension and the manual page
# make demo       install what is missing, build, show the main job on a sample vmcore
# make check      install what is missing, build, run every test
# make help       the other targets

# make V=1 shows the commands.
V ?= 0
ifeq ($(V),0)
Q := @
SAY = @printf '  %-4s %s\n'
else
SAY = @:
endif

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
CC      ?= gcc
OPT     ?= -O2 -g

# Debian 13 has a libdwarf.pc that names a folder which is not there.
DWARF_CFLAGS := $(shell pkg-config --cflags libdwarf 2>/dev/null) -I/usr/include/libdwarf
WARNINGS     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
                -Wpointer-arith -Wwrite-strings -Wundef
CFLAGS_ALL   := -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(OPT) $(WARNINGS) \
                -I. $(DWARF_CFLAGS) $(CFLAGS)
# Reads zlib's format in half of zlib's time; target/codec.c does without where it is not there.
DEFLATE      := $(shell $(CC) $(CFLAGS) -E -include libdeflate.h -x c /dev/null >/dev/null 2>&1 && echo -ldeflate)
LIBS         := -lkdumpfile -ldwarf -lelf -lbpf -lz -llzo2 -lsnappy -lzstd $(DEFLATE) -lsqlite3

CRASH_INCLUDE ?= /usr/include/crash
# What crash itself was built with beyond its defaults, where its header asks for it.
CRASH_DEFINES ?=
# crash's header is not ours: its warnings do not count.
CRASH_CFLAGS := -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(OPT) -Wall -Wextra \
                -Wno-strict-prototypes -I. -isystem $(CRASH_INCLUDE) $(CRASH_DEFINES)

SAMPLES_OUT  := $(or $(IOMMUPT_OUT),vmcore-samples/out)

LIB_SOURCES  := $(sort $(wildcard formats/*.c target/*.c walkers/*.c reports/*.c))
EXTENSION_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard extension/*.c)))
TEST_SOURCES := $(sort $(wildcard tests/*.c))
LIB_OBJECTS  := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(BUILD)/%.o)
LIBRARY      := $(BUILD)/libiommupt.a
BENCH_PROGRAMS := $(patsubst bench/%.c,$(BUILD)/bench/%,$(filter-out bench/write_%,$(wildcard bench/*.c)))

all: $(BUILD)/iommupt $(BUILD)/iommupt.so $(BUILD)/iommupt.8

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(LIBRARY): $(LIB_OBJECTS)
	$(SAY) AR $@
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/iommupt: $(BUILD)/cli/main.o $(LIBRARY)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/extension/crash.o: extension/crash.c
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(CRASH_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/iommupt.so: $(EXTENSION_OBJECTS) $(LIBRARY)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -shared -Wl,-Bsymbolic -Wl,--exclude-libs,ALL $^ $(LIBS) -o $@

$(BUILD)/iommupt.8: $(BUILD)/iommupt
	$(SAY) MAN $@
	$(Q)$(BUILD)/iommupt help --man > $@.new
	$(Q)mv $@.new $@

$(BUILD)/tests/run: $(TEST_OBJECTS) $(LIBRARY)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ -lcunit $(LIBS) -o $@

# Programs of the benchmarks: none of our code, only what each needs of the libraries.
$(BUILD)/bench/make_tables: bench/write_kdump.c bench/write_elf.c bench/tables.h
$(BUILD)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) -Wl,--as-needed $(LDFLAGS) $(filter %.c,$^) $(LIBS) -lpthread -o $@

# Every page of a dump by both readers: tests/check-readers.
$(BUILD)/tests/readers/compare: $(BUILD)/tests/readers/compare.o $(LIBRARY)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ $(LIBS) -o $@

# Lets calls of the C library fail: tests/check-faults.
$(BUILD)/tests/faults/preload.so: tests/faults/preload.c
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) -fvisibility=default -shared $< -o $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

deps:
	scripts/install-packages

# Each of these may install packages, so the build proper is a make of its own behind it.
demo: deps
	$(MAKE) all
	scripts/demo $(BUILD)

check: deps
	$(MAKE) all fuzzers $(BUILD)/tests/run $(BUILD)/tests/readers/compare $(BENCH_PROGRAMS) \
		$(BUILD)/tests/faults/preload.so
	tests/run-all $(BUILD)

# Every recipe there is, booted and compared; needs some GB of disk and half an hour.
check-kernels: deps
	$(MAKE) all
	scripts/install-packages vmcore-samples/packages vmcore-samples/packages-arm64
	vmcore-samples/build --all
	vmcore-samples/check-truth $(SAMPLES_OUT)/*/
	tests/check-samples $(BUILD) --all
	tests/check-find $(BUILD) $(SAMPLES_OUT)/state-*/ $(SAMPLES_OUT)/vtd-4level-*/
	tests/check-extract $(BUILD) $(SAMPLES_OUT)/*/
	tests/check-crash $(BUILD) $(SAMPLES_OUT)/vtd-panic-6.1

# In crash: Ctrl-C, pagers, settings, short memory, 1000 times loaded; then under valgrind. An hour.
check-crash: deps
	$(MAKE) all
	scripts/install-packages vmcore-samples/packages scripts/packages-crash-leaks
	vmcore-samples/build vtd-panic-6.1
	tests/check-crash $(BUILD) $(SAMPLES_OUT)/vtd-panic-6.1
	tests/check-crash-leaks $(BUILD) $(SAMPLES_OUT)/vtd-panic-6.1

# The same answers in crash of Debian 12, 13 and sid; downloads these, and needs the samples.
check-crash-all: deps
	$(MAKE) all
	tests/check-crash-releases $(BUILD)

# The same for an arm64 dump on this machine: builds crash with target=ARM64, which takes a while.
check-crash-arm64: deps
	$(MAKE) all
	scripts/install-packages scripts/packages-crash-arm64
	tests/check-crash-releases $(BUILD) arm64:smmuv3-6.1 \
		'arm64:smmuv3-6.12:-m phys_offset=0x40000000'

# How fast large tables are walked; BENCH_SCALE=1 is the full size. docs/benchmarks.md
bench: deps
	$(MAKE) all $(BENCH_PROGRAMS)
	scripts/install-packages scripts/packages-bench || echo 'bench: what is missing is left out'
	bench/run $(BUILD)

# The running kernel of guests is read while its tables change, x86-64 and arm64.
check-live: deps
	$(MAKE) all
	scripts/install-packages vmcore-samples/packages vmcore-samples/packages-arm64
	scripts/install-packages scripts/packages-aarch64 scripts/packages-live
	tests/check-live $(BUILD)

# Every allocation, read, page, header field that can fail or be damaged; docs/faults.md.
FAULT_SPECIMEN ?= vmcore-samples/specimens/vtd-4level-6.1
check-faults: deps
	$(MAKE) all $(BUILD)/tests/faults/preload.so
	tests/check-faults --every $(BUILD) $(FAULT_SPECIMEN)

# What the tests reach; the decoders and the engine must be reached nearly whole.
coverage: deps
	scripts/install-packages scripts/packages-coverage
	$(MAKE) BUILD=$(BUILD)/coverage $(BUILD)/coverage/iommupt $(BUILD)/coverage/tests/run fuzzers \
		OPT='-O0 -g --coverage -fprofile-update=atomic -Wno-format-truncation'
	scripts/coverage $(BUILD)/coverage

samples: deps
	scripts/install-packages vmcore-samples/packages vmcore-samples/packages-arm64
	vmcore-samples/build --all

# The command built for arm64 says the same of every specimen, under qemu-user.
check-aarch64: deps
	$(MAKE) all
	scripts/install-packages scripts/packages-aarch64
	scripts/check-aarch64 $(BUILD)

# Fuzzers: with libFuzzer (clang) by `make fuzz`, without an engine by `make check`; tests/fuzz/.
FORMATS := amdv1 ept lpae_s1 lpae_s2 vtd_fs vtd_ss x86_64
FUZZ_PARTS := replay format image specimen
FUZZERS := $(FORMATS:%=fuzz-format-%) $(patsubst tests/fuzz/%.c,fuzz-%,$(filter-out \
           $(FUZZ_PARTS:%=tests/fuzz/%.c),$(sort $(wildcard tests/fuzz/*.c))))
FUZZ_ENGINE ?= $(BUILD)/tests/fuzz/replay.o

fuzzers: $(FUZZERS:%=$(BUILD)/%)

$(BUILD)/fuzz-format-%: $(BUILD)/tests/fuzz/format.o $(LIBRARY) $(filter %.o,$(FUZZ_ENGINE))
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ $(filter-out %.o,$(FUZZ_ENGINE)) $(LIBS) -o $@

$(BUILD)/fuzz-%: $(BUILD)/tests/fuzz/%.o $(LIBRARY) $(filter %.o,$(FUZZ_ENGINE))
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ $(filter-out %.o,$(FUZZ_ENGINE)) $(LIBS) -o $@

$(BUILD)/fuzz-kallsyms $(BUILD)/fuzz-btf: $(BUILD)/tests/fuzz/image.o
$(BUILD)/fuzz-command: $(BUILD)/tests/fuzz/specimen.o

# What is small then: see where it is asked for. AFL++'s compiler says it by itself.
FUZZING := -UFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION=1

SECONDS ?= 60
fuzz: fuzz-build
	tests/fuzz/run $(BUILD)/fuzz $(SECONDS)

# As many executions as docs/fuzzing.md says, whatever time that takes.
fuzz-campaign: fuzz-build
	tests/fuzz/campaign $(BUILD)/fuzz

fuzz-build: deps
	scripts/install-packages scripts/packages-fuzz
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang FUZZ_ENGINE=-fsanitize=fuzzer fuzzers \
		OPT='-O2 -g $(FUZZING) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'

# The same fuzzers under AFL++, each for SECONDS.
fuzz-afl: deps
	scripts/install-packages scripts/packages-fuzz-afl
	AFL_QUIET=1 $(MAKE) BUILD=$(BUILD)/afl CC=afl-clang-fast FUZZ_ENGINE=-fsanitize=fuzzer fuzzers \
		OPT='-O2 -g $(FUZZING) -fsanitize=address,undefined -fno-sanitize-recover=all'
	tests/fuzz/run-afl $(BUILD)/afl $(SECONDS)

asan: deps
	$(MAKE) BUILD=$(BUILD)/asan OPT='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
		$(BUILD)/asan/iommupt $(BUILD)/asan/tests/run $(BUILD)/asan/tests/readers/compare fuzzers
	IOMMUPT_TREES=300 tests/run-all --no-crash $(BUILD)/asan

lint: deps
	scripts/lint

install: all
	install -D -m 755 $(BUILD)/iommupt $(DESTDIR)$(PREFIX)/sbin/iommupt
	install -D -m 644 $(BUILD)/iommupt.so $(DESTDIR)$(PREFIX)/lib/crash/extensions/iommupt.so
	install -D -m 644 $(BUILD)/iommupt.8 $(DESTDIR)$(PREFIX)/share/man/man8/iommupt.8

clean:
	rm -rf $(BUILD)

help:
	@echo 'make                      the command, the crash extension, the manual page'
	@echo 'make demo                 install what is missing, build, show the main job'
	@echo 'make check                install what is missing, build, run every test'
	@echo 'make check-kernels        boot and compare every recipe of vmcore-samples/'
	@echo 'make check-live           in guests, the running kernel is read while its tables change'
	@echo 'make check-aarch64        an arm64 build of the command reads the same'
	@echo 'make check-crash          what a user may do to the extension in crash, at length; valgrind'
	@echo 'make check-crash-all      the extension in crash of three Debian releases'
	@echo 'make check-crash-arm64    the extension in a crash for arm64 dumps, built from source'
	@echo 'make check-faults         memory, disks, threads and dumps fail in every place (docs/faults.md)'
	@echo 'make coverage             lines and branches that the tests reach'
	@echo 'make bench                how fast large tables are walked (docs/benchmarks.md)'
	@echo 'make samples              make every sample vmcore'
	@echo 'make asan                 the tests under AddressSanitizer and UBSan'
	@echo 'make fuzz SECONDS=60      every fuzzer for so long (libFuzzer, AddressSanitizer, UBSan)'
	@echo 'make fuzz-campaign        every fuzzer for as many executions as docs/fuzzing.md says'
	@echo 'make fuzz-afl SECONDS=60  every fuzzer under AFL++'
	@echo 'make lint                 clang-format, clang-tidy, cppcheck, gcc -fanalyzer, shellcheck'
	@echo 'make install DESTDIR= PREFIX=/usr/local'
	@echo 'make clean'

.PHONY: all deps demo check check-faults coverage check-kernels check-aarch64 check-live check-crash check-crash-all check-crash-arm64 bench samples asan lint install clean help fuzz fuzzers fuzz-build fuzz-campaign fuzz-afl
.DELETE_ON_ERROR:
.SECONDARY:
