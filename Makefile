# SPDX-License-Identifier: MIT
# The front door. Every target is one script of lab/ or test/, and can be
# run by hand as well; this file knows only the order.

ARCH    ?= x86_64
FLAVOUR ?= default
OUT     ?= $(CURDIR)/out
export ARCH FLAVOUR OUT LINUX V FOR

# The kernel's own make must not inherit our flags and variables.
RUN := @env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL
PHASE = @printf 'offmap: %s %s\n'

ifeq ($(ARCH),arm64)
TESTS := $(sort $(wildcard test/arm64/*.t))
# PAGES=16K, PAGES=64K: not all emulated machines have them, and the compiler has
# been asked
ifneq ($(PAGES),)
override FLAVOUR := $(shell echo '$(PAGES)' | tr K k)
TESTS := $(filter-out %/machines.t %/kernel_style.t,$(TESTS))
endif
else
TESTS := $(sort $(wildcard test/host/*.t test/lab/*.t test/boot/*.t test/bochs/*.t \
	test/arm64/*.t))
endif
# left out: upstream's tests have time limits that a debug kernel exceeds.  The speed
# of a debug kernel is of no interest.  The VMM tests run the default kernel as a
# guest.
DEBUG_TESTS := $(filter-out %/upstream_kvm.t %/upstream_mm.t %/bench.t %/vmm.t \
	%/vmm_backends.t %/vmm_devices.t %/vmm_huge.t %/vmm_share.t %/vmm_vhost.t \
	%/vmm_libvirt.t %/vmm_nested.t %/vmm_qemu.t %/vmm_uefi.t %/demo.t,\
	$(filter test/boot/%,$(TESTS)))
ifneq ($(filter check-debug,$(MAKECMDGOALS)),)
override TESTS := $(DEBUG_TESTS)
endif
# T=word,word: the tests of a folder of that name, else those with the word in their path
comma := ,
in_folder = $(filter test/$(1)/%,$(TESTS))
with_word = $(foreach t,$(TESTS),$(if $(findstring $(1),$(t:test/%=%)),$(t)))
tests_of = $(strip $(or $(call in_folder,$(1)),$(call with_word,$(1))))
WORDS := $(subst $(comma), ,$(T))
CHOSEN := $(sort $(foreach w,$(WORDS),$(call tests_of,$(w))))
UNKNOWN := $(strip $(foreach w,$(WORDS),$(if $(call tests_of,$(w)),,$(w))))
# T=, has no word at all
UNKNOWN := $(if $(T),$(if $(strip $(WORDS)),$(UNKNOWN),$(or $(strip $(T)),a blank)))
# what check needs besides ARCH
OTHER := $(if $(filter x86_64,$(ARCH)),$(if $(filter test/arm64/%,$(or $(CHOSEN),$(TESTS))),ARCH=arm64))

.PHONY: help run check bench bench-compare bench-figures bench-pictures series bisect-check deb \
	object-code htmldocs rebase shell packages fetch tree export build mutants baseline fuzz \
	soak tests-exist check-debug check-kcsan check-kmsan check-rt check-deb check-debian13 clean distclean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:
	@echo 'make run        build the kernel, boot it, show that it cannot read the VM'
	@echo 'make check      run every test; T=word,word runs those of a folder (host, lab, boot,'
	@echo '                arm64), or those whose path has the word'
	@echo 'make bench      what such memory costs; P=P1,P3 part of it; BASE=1, AT=step or'
	@echo '                PEER=name another kernel; make bench-compare A=series B=base'
	@echo 'make shell      a prompt inside the lab VM'
	@echo 'make build      build the kernel and what runs in the lab; FLAVOUR=debug'
	@echo 'make tree       make out/linux: Linux with one commit per step'
	@echo 'make export     write the commits of out/linux back to kernel/'
	@echo 'make series     the series as mail, in out/series; SIGNOFF="Name <mail>"'
	@echo 'make bisect-check  build, boot and test the kernel of every step; QUICK=1'
	@echo 'make object-code  what the series changes in a kernel that is built without it'
	@echo 'make deb        Debian packages of all; WHAT=vmm or kernel; CONFIG='
	@echo 'make check-deb  those installed in a Debian made for it, and booted; as root'
	@echo 'make check-debian13   make run in a Debian 13 made for it; as root'
	@echo 'make rebase     how the series applies to another release; LINUX='
	@echo 'make htmldocs   the documentation of the kernel that the series adds to'
	@echo 'make mutants    break the kernel on purpose; each time a test must fail; M=NAME'
	@echo 'make fuzz       random system calls against a model, those of trinity, then the'
	@echo '                the memslots of offmap run; MINUTES=10 for each of the former, 5 for'
	@echo '                the latter, which needs clang'
	@echo 'make soak       all at once and for long, then look for what is lost; MINUTES=60'
	@echo 'make check-debug, check-kcsan, check-kmsan, check-rt   the same kernel with KASAN'
	@echo '                and lockdep, KCSAN, KMSAN, PREEMPT_RT; the first takes hours'
	@echo 'make baseline   upstream selftests on the base kernel and on ours'
	@echo 'make packages   install the Debian packages that all this needs; what only deb,'
	@echo '                check-deb, htmldocs or fuzz need with FOR=deb and so on'
	@echo 'make fetch      download the source of Linux'
	@echo 'make clean      remove builds and logs; keep out/linux and downloads'
	@echo 'make distclean  remove out/; refused while out/linux has work not exported'
	@echo
	@echo 'ARCH=arm64  run, check, build, shell, bench and mutants for arm64; PAGES=16K, PAGES=64K'
	@echo 'LINUX=tarball|directory|git-tree  take Linux from there; V=1  say more'

run:
	$(PHASE) 1/4 packages
	$(RUN) lab/packages
	$(PHASE) 2/4 'source of Linux'
	$(RUN) lab/tree
	$(PHASE) 3/4 'build Linux'
	$(RUN) lab/build kernel headers guest vmm initramfs
	$(PHASE) 4/4 demo
	$(RUN) lab/demo

quoted = '$(subst ','\'',$(1))'
tests-exist:
	@$(if $(UNKNOWN),echo "offmap: error: no test has '"$(call quoted,$(UNKNOWN))"' in its path" >&2; exit 2,:)

check: tests-exist
	$(PHASE) 1/4 packages
	$(RUN) lab/packages
	$(if $(OTHER),$(RUN) $(OTHER) lab/packages)
	$(PHASE) 2/4 'source of Linux'
	$(RUN) lab/tree
	$(PHASE) 3/4 'build Linux'
	$(RUN) lab/build
	$(if $(OTHER),$(RUN) $(OTHER) lab/build)
	$(RUN) lab/tsc
	$(PHASE) 4/4 tests
	$(RUN) test/run $(or $(CHOSEN),$(TESTS))

bench: tree
	$(RUN) bench/run

bench-compare:
	$(RUN) bench/compare

bench-pictures:
	$(RUN) bench/pictures

bench-figures:
	$(RUN) bench/figures take

packages fetch export:
	$(RUN) lab/$@

series: tree
	$(RUN) lab/mail

bisect-check: tree
	$(RUN) ARCH=arm64 lab/packages
	$(RUN) QUICK=1 lab/bisect
	$(RUN) LINK=1 lab/bisect
ifeq ($(QUICK),)
	$(RUN) lab/bisect
	$(RUN) ARCH=arm64 lab/bisect
endif

object-code: tree
	$(RUN) lab/object-code

htmldocs: tree
	$(RUN) FOR=htmldocs lab/packages
	$(RUN) lab/htmldocs

# the packages of vmm/ need neither Linux nor a lab
deb: $(if $(filter-out vmm,$(or $(WHAT),all)),tree)
	$(RUN) FOR=$(if $(filter-out vmm,$(or $(WHAT),all)),deb,deb-vmm) lab/packages
	$(RUN) lab/deb

check-deb: tree
	$(RUN) FOR='deb check-deb' lab/packages
	$(RUN) lab/deb
	$(RUN) test/run test/deb/installed.t

check-debian13:
	$(RUN) FOR=check-deb lab/packages
	$(RUN) lab/fetch
	$(RUN) test/run test/deb/debian13.t

rebase:
	$(RUN) lab/rebase

tree: packages
	$(RUN) lab/tree

build: tree
	$(RUN) lab/build

shell baseline: build
	$(RUN) lab/$@

mutants: build
	$(RUN) lab/mutants $(M)

fuzz: build
	$(RUN) FOR=fuzz lab/packages
	$(RUN) lab/long fuzz $(MINUTES)
	$(RUN) lab/long trinity $(MINUTES)
	$(RUN) $(MAKE) -C vmm O='$(OUT)/vmm' fuzz

soak: build
	$(RUN) lab/long soak $(MINUTES)

check-debug: tests-exist tree
	@env -u MAKEFLAGS FLAVOUR=debug lab/build
	@env -u MAKEFLAGS FLAVOUR=debug test/run $(or $(CHOSEN),$(TESTS))

check-kmsan: tree
	@env -u MAKEFLAGS FLAVOUR=kmsan lab/packages
	@env -u MAKEFLAGS FLAVOUR=kmsan lab/build kernel headers guest initramfs
	@env -u MAKEFLAGS FLAVOUR=kmsan test/run test/kmsan/memory.t

check-kcsan: tree
	@env -u MAKEFLAGS FLAVOUR=kcsan lab/build
	@env -u MAKEFLAGS FLAVOUR=kcsan test/run test/kcsan/races.t

check-rt: tree
	@env -u MAKEFLAGS FLAVOUR=rt lab/build
	@env -u MAKEFLAGS FLAVOUR=rt test/run test/rt/boot.t

clean:
	$(RUN) lab/clean

distclean:
	$(RUN) lab/clean all
