# pullmail: a mailbox as a directory tree.  `make help` lists what can be made.

PREFIX ?= /usr/local
SBINDIR ?= /sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/user
DOCDIR ?= $(PREFIX)/share/doc/pullmail
VERSION := 0.1

CC ?= gcc
# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))
PKGS := fuse3 gio-2.0 glib-2.0 openssl sqlite3 libgsasl zlib
VARIANT ?= release
B := build/$(VARIANT)

# Where the C library or the compiler has no level 3, it is 2.
OPT_release := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
OPT_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
OPT_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
OPT_valgrind := -O1
OPT_coverage := -O0 --coverage
OPT_fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LINK_asan := -fsanitize=address,undefined
LINK_tsan := -fsanitize=thread
# ThreadSanitizer has to be told of GLib's locks.
EXTRA_tsan = $B/tests/tsan/glib.o
LINK_coverage := --coverage
LINK_fuzz := -fsanitize=address,undefined

CFLAGS ?= -g
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wwrite-strings -Wvla -Wformat=2 -Wundef
# clang takes a g_autoptr whose only use is its clean-up, such as a lock, for unused.
WARN += $(if $(findstring clang,$(CC)),-Wno-unused-variable)
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS = $(shell pkg-config --libs $(PKGS))
ALL_CFLAGS = -std=gnu11 $(WARN) $(OPT_$(VARIANT)) -fstack-protector-strong -fPIE -pthread \
             -D_GNU_SOURCE -DFUSE_USE_VERSION=314 -DPULLMAIL_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LINK_$(VARIANT)) $(LDFLAGS)

SOURCES := $(wildcard fs/*.c imapclient/*.c imapclient/net/*.c pop3client/*.c cache/*.c)
HEADERS := $(wildcard fs/*.h imapclient/*.h imapclient/net/*.h pop3client/*.h cache/*.h)
OBJECTS := $(SOURCES:%.c=$B/%.o)
LIBRARY := $B/libpullmail.a
PROGRAM := $(if $(filter release,$(VARIANT)),mount.pullmail,$B/mount.pullmail)
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:%.c=$B/%)
TEST_SOURCES := $(wildcard tests/unit/*.c tests/bench/*.c tests/fuzz/*.c tests/tsan/*.c)
TEST_HEADERS := $(wildcard tests/unit/*.h tests/bench/*.h tests/fuzz/*.h)
FORMATTED := $(SOURCES) $(HEADERS) $(TEST_SOURCES) $(TEST_HEADERS)
E2E_TESTS := $(wildcard tests/e2e/test_*.py)
BENCH_PROGRAMS := $(addprefix $B/tests/bench/,link rawfetch rawpop rawappend)
FUZZERS := $(patsubst %.c,$B/%,$(wildcard tests/fuzz/fuzz_*.c))
SEED_TESTS := $(FUZZERS:$B/tests/fuzz/fuzz_%=$B/tests/fuzz/seeds_%)
SCRIPTS := tests/check-layers tests/install-deps tests/demo/run .ci/run
PYTHON := tests/dovecot tests/run tests/coverage tests/bench/run tests/bench/manyserver tests/demo/mailbox tests/soak/run \
          $(wildcard tests/*.py tests/demo/*.py tests/e2e/*.py tests/bench/*.py tests/soak/*.py)
# What needs packages installs them first, then builds with all processors.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all
all: $(PROGRAM)

$(PROGRAM): $B/fs/main.o $(EXTRA_$(VARIANT)) $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -pthread

$(LIBRARY): $(filter-out $B/fs/main.o,$(OBJECTS))
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$B/%.o: %.c | $B/.compiler
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$B/tests/unit/%: tests/unit/%.c $(EXTRA_$(VARIANT)) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(EXTRA_$(VARIANT)) $(LIBRARY) \
	    $(PKG_LIBS) $$(pkg-config --libs cmocka) -pthread

# A tool chain that is missing is said in one line, not by a screenful of compiler errors.
$B/.compiler:
	@mkdir -p $(@D)
	@pkg-config --exists $(PKGS) || { echo "make: development packages are missing; 'make deps' installs them" >&2; exit 1; }
	@touch $@

-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(FUZZERS:=.d) $(SEED_TESTS:=.d) $(wildcard $B/tests/bench/*.d)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

.PHONY: check-layers
check-layers:
	@tests/check-layers

.PHONY: format
format:
	clang-format -i $(FORMATTED)

# --- What a user calls -----------------------------------------------------------------------

.PHONY: help
help:
	@sed -n 's/^##  *//p' Makefile

## make                 build ./mount.pullmail
## make deps            install the packages that building needs, if some are missing
## make demo            mount a private server's mailbox and look around; KEEP=1 leaves it mounted
## make demo PROTOCOL=pop3   the same by POP3
.PHONY: deps deps-demo deps-test deps-bench deps-valgrind deps-lint
deps:
	@tests/install-deps build
deps-demo deps-test deps-bench deps-valgrind deps-lint: deps-%:
	@tests/install-deps $*

.PHONY: demo
demo: deps-demo
	+@$(SUBMAKE) all
	@tests/demo/run

## make check           all tests: unit tests, layers, end to end against a private Dovecot
## make check-asan      the same, built with AddressSanitizer and UndefinedBehaviorSanitizer
## make check-tsan      the same, built with ThreadSanitizer
## make check-valgrind  the same, under valgrind
## make check-layers    who includes whom
.PHONY: check check-asan check-tsan check-valgrind run-tests
check: deps-test
	+@$(SUBMAKE) run-tests

# These work more than they wait.
check-asan check-tsan: check-%: deps-test
	+@TEST_TIMEOUT=3600 JOBS=$${JOBS:-$$(($$(nproc) + 1))} $(SUBMAKE) VARIANT=$* run-tests

# What is possibly lost is of GLib's threads, which wait for work until the end.
VALGRIND := valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
            --show-leak-kinds=definite --suppressions=$(CURDIR)/tests/valgrind/suppressions
check-valgrind: deps-valgrind
	+@TEST_TIMEOUT=7200 $(SUBMAKE) VARIANT=valgrind WRAP='$(VALGRIND)' run-tests

run-tests: all unit-tests $(SEED_TESTS)
	@PULLMAIL='$(WRAP) $(abspath $(PROGRAM))' WRAP='$(WRAP)' \
	    tests/run $(UNIT_TESTS) $(SEED_TESTS) tests/check-layers $(E2E_TESTS)

## make coverage        how much of what reads a server's bytes make check runs, and what fuzzing found
.PHONY: coverage run-coverage
coverage: deps-test
	+@$(SUBMAKE) VARIANT=coverage run-coverage

# Each program adds to the counts of those before it.
run-coverage: all unit-tests $(SEED_TESTS)
	@find $B -name '*.gcda' -delete
	@PULLMAIL='$(abspath $(PROGRAM))' tests/run $(UNIT_TESTS) $(SEED_TESTS) $(E2E_TESTS)
	@for test in $(SEED_TESTS); do \
	    found=build/corpus/fuzz_$${test##*/seeds_}; [ ! -d $$found ] || $$test $$found >/dev/null || exit 1; \
	done
	@tests/coverage $B

## make lint            formatting, static analysis, the manual, the scripts; a build by clang
## make format          put the formatting right
.PHONY: lint run-lint
lint: deps-lint
	+@$(SUBMAKE) run-lint
	+@$(SUBMAKE) CC=clang B=build/clang $(LIBRARY:$B/%=build/clang/%) unit-tests
	@echo "lint: clean"

run-lint: lint-format lint-cppcheck lint-manual lint-scripts check-layers \
          $(SOURCES:%.c=build/lint/%.tidy) $(TEST_SOURCES:%.c=build/lint/%.tidy)

# Versions of clang-format differ in what they make of the same style; 14 is the one that counts.
.PHONY: lint-format lint-cppcheck lint-manual lint-scripts
lint-format:
	@case $$(clang-format --version) in \
	*"version 14."*) clang-format --dry-run -Werror $(FORMATTED) ;; \
	*) echo "formatting is not compared: that takes clang-format 14" ;; \
	esac

$(TEST_SOURCES:%.c=build/lint/%.tidy): $(TEST_HEADERS)
build/lint/%.tidy: %.c $(HEADERS) .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet $< -- $(filter-out -fstack-protector-strong,$(ALL_CFLAGS)) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

# cppcheck does not know which of GLib's functions take what they are given (memleak), and minds
# plain numbers for %u (invalidPrintfArgType); the sanitizers and -Wformat=2 see to both.
lint-cppcheck:
	cppcheck --quiet --enable=warning,performance,portability --error-exitcode=1 --inline-suppr \
	    --std=c11 --library=gtk --suppress=unknownMacro --suppress=memleak --suppress=invalidPrintfArgType_uint --suppress=invalidPrintfArgType_sint -DFUSE_USE_VERSION=314 $(SOURCES) $(TEST_SOURCES)

lint-manual:
	mandoc -Tlint -Wwarning mount.pullmail.8

lint-scripts:
	shellcheck -S warning $(SCRIPTS)
	python3 -c 'import sys; [compile(open(name).read(), name, "exec") for name in sys.argv[1:]]' $(PYTHON)

## make fuzz            fuzz each parser and session for FUZZ_SECONDS (1800); fuzz-smoke: for 60
FUZZ_SECONDS ?= 1800
# 0: another one each time; the short run is to end the same way each time.
FUZZ_SEED ?= 0
.PHONY: fuzz fuzz-smoke run-fuzzers
fuzz: deps-lint
	+@$(SUBMAKE) VARIANT=fuzz CC=clang run-fuzzers
fuzz-smoke: deps-lint
	+@$(SUBMAKE) VARIANT=fuzz CC=clang FUZZ_SECONDS=60 FUZZ_SEED=1 run-fuzzers

# What was found interesting is kept under build/corpus, beside the seeds of tests/fuzz/corpus. The
# library's own connect.c gives way to that of a session's fuzzer.
run-fuzzers: $(FUZZERS)
	@for fuzzer in $^; do \
	    name=$${fuzzer##*/}; seeds=tests/fuzz/corpus/$$name; \
	    words=tests/fuzz/$$name.dict; [ ! -e $$words ] || seeds="$$seeds -dict=$$words"; \
	    mkdir -p build/corpus/$$name; \
	    echo "$$name, $(FUZZ_SECONDS) s"; \
	    $$fuzzer -max_total_time=$(FUZZ_SECONDS) -seed=$(FUZZ_SEED) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
	        -artifact_prefix=build/corpus/$$name- build/corpus/$$name $$seeds 2>build/corpus/$$name.log || \
	        { tail -40 build/corpus/$$name.log; exit 1; }; \
	    grep -E 'number_of_executed_units' build/corpus/$$name.log; \
	done

$B/tests/fuzz/%: tests/fuzz/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIBRARY) $(PKG_LIBS) -pthread

# What make check runs of them: each on its seeds alone.
$B/tests/fuzz/seeds_%: tests/fuzz/fuzz_%.c tests/fuzz/standalone.c $(EXTRA_$(VARIANT)) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -DCORPUS='"tests/fuzz/corpus/fuzz_$*"' $(ALL_LDFLAGS) -o $@ $(filter %.c,$^) \
	    $(EXTRA_$(VARIANT)) $(LIBRARY) $(PKG_LIBS) -pthread

## make soak            use a mount for SOAK_SECONDS (300) while all that can fail does; SOAK_SEED repeats a run
SOAK_SECONDS ?= 300
.PHONY: soak
soak: deps-test
	+@$(SUBMAKE) all
	@PULLMAIL='$(abspath $(PROGRAM))' PYTHONDONTWRITEBYTECODE=1 tests/soak/run $(SOAK_SECONDS) $(SOAK_SEED)

## make bench           measure it against mbsync, mpop, raw clients and the local disk: 10 minutes
## make bench-quick     the same with less of all: one minute
.PHONY: bench bench-quick
bench bench-quick: deps-bench
	+@$(SUBMAKE) $(BENCH_PROGRAMS) all
	@PULLMAIL='$(abspath $(PROGRAM))' BENCH_PROGRAMS='$(abspath $B/tests/bench)' PYTHONDONTWRITEBYTECODE=1 \
	    tests/bench/run $(if $(filter bench-quick,$@),--quick)

$B/tests/bench/link: $(patsubst %,$B/tests/bench/%.o,link relay netns)
$(filter %/rawfetch %/rawpop %/rawappend,$(BENCH_PROGRAMS)): %: %.o $B/tests/bench/rawclient.o
$(BENCH_PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -pthread

## make install         to DESTDIR, SBINDIR (/sbin: where mount looks for it), MANDIR, UNITDIR, DOCDIR
## make uninstall       take that away again
.PHONY: install uninstall
install: all
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(SBINDIR)/mount.pullmail
	install -D -m 644 mount.pullmail.8 $(DESTDIR)$(MANDIR)/man8/mount.pullmail.8
	install -D -m 644 fs/systemd/pullmail@.service $(DESTDIR)$(UNITDIR)/pullmail@.service
	sed -i 's|/sbin/mount.pullmail|$(SBINDIR)/mount.pullmail|' $(DESTDIR)$(UNITDIR)/pullmail@.service
	install -D -m 644 -t $(DESTDIR)$(DOCDIR)/examples fs/systemd/srv-mail.mount fs/systemd/srv-mail.automount

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/mount.pullmail $(DESTDIR)$(MANDIR)/man8/mount.pullmail.8 \
	    $(DESTDIR)$(UNITDIR)/pullmail@.service $(DESTDIR)$(DOCDIR)/examples/srv-mail.*mount

## make clean           remove what was built
.PHONY: clean
clean:
	rm -rf build mount.pullmail
