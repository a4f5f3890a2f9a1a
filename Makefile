# Builds the kernel, the micro-guests and the ISO image, and runs the harness over them. `make help` lists the targets.
#
# Nothing here names a source file: every .c and .S file below src/ belongs to the kernel, every .S file below
# guests/asm/ is a micro-guest, every tests/unit/test_*.c is a unit test. Everything that is made lies below build/.

# ---- What a person may set -------------------------------------------------------------------------------------------

MACHINE ?= bochs#	bochs, qemu, qemu-tcg or serial:DEVICE
MODEL ?=#		the processor model (Bochs: `make run MODEL=list` shows them)
PROCESSORS ?=#		how many processors; empty: what the guests need
GUEST ?=#		which guests: names or patterns, separated by commas; empty: all
BOCHS ?= bochs-bin#	another Bochs
QEMU ?= qemu-system-x86_64#	another QEMU
PYTHON ?= /usr/bin/python3#	Debian's, because Debian's modules belong to it
DETAILS ?=#		1 makes run and log print registers and controls too
V ?=#			1 shows the commands themselves
# Recipes take these from the environment: the shell does not read again what comes from there, whatever quotes it has.
export MACHINE MODEL PROCESSORS GUEST BOCHS QEMU NAME REASON MODE

CC := gcc
LD := ld
AR := ar
STRIP := strip

# ---- How make itself behaves -----------------------------------------------------------------------------------------

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
# As many jobs as processors, unless the command line says -j itself.
ifeq ($(filter -j% --jobs%,$(shell tr '\0' ' ' 2>/dev/null </proc/$$PPID/cmdline)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

# A short line for each step, or with V=1 the command.
ifeq ($(V),1)
Q :=
say =
else
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

# ---- Flags -----------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes
# -mgeneral-regs-only and -mno-red-zone: the kernel takes interrupts on the stack that it runs on, and saves no SSE state
# for itself. -fno-pic: it is linked at its physical address.
KERNEL_CFLAGS := -std=c17 -ffreestanding -fno-pic -no-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small -O2 -g \
	-fno-stack-protector -fno-asynchronous-unwind-tables $(WARNINGS) -Isrc -Ibuild/include
KERNEL_ASFLAGS := -g -Wa,--fatal-warnings -Isrc -Ibuild/include
KERNEL_LDFLAGS := -n -z max-page-size=4096 --no-warn-rwx-segments --fatal-warnings
GUEST_ASFLAGS := -Wa,--fatal-warnings -Isrc -Iguests/include
GUEST_LDFLAGS := -n -e 0 --no-warn-rwx-segments
# Unit tests are ordinary programs; the sources that they test are compiled once more for them.
NATIVE_CFLAGS := -std=gnu17 -O1 -g -fno-builtin -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all $(WARNINGS) -Isrc
NATIVE_LDLIBS := -lcmocka

# ---- What there is ---------------------------------------------------------------------------------------------------

find = $(sort $(shell find $(1) -name '$(2)' 2>/dev/null))

KERNEL_SOURCES := $(call find,src,*.c) $(call find,src,*.S)
KERNEL_OBJECTS := $(KERNEL_SOURCES:%=build/kernel/%.o)
UNIT_TESTS := $(patsubst tests/unit/%.c,build/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
ISO := build/exitscope.iso

.PHONY: all kernel guests unruly iso unit check run log new-guest bless bench lint clean help deps deps-lint FORCE

## all		build everything: kernel, guests, catalogue, ISO image, unit tests (what plain `make` does)
all: kernel guests iso unit unruly

kernel: build/kernel-stripped.elf
guests: build/catalogue.a
unruly: build/unruly/catalogue.a build/unruly/kernel-stripped.elf
unit: $(UNIT_TESTS)

# ---- Things that are asked anew each time, and written only when the answer has changed ------------------------------

# $(call remember,text): writes the text to the target unless the target holds it already.
remember = @mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' > $@

build/flags/kernel: FORCE
	$(call remember,$(CC) $(KERNEL_CFLAGS) $(KERNEL_ASFLAGS) $(LD) $(KERNEL_LDFLAGS))
build/flags/guest: FORCE
	$(call remember,$(CC) $(GUEST_ASFLAGS) $(LD) $(GUEST_LDFLAGS))
build/flags/native: FORCE
	$(call remember,$(CC) $(NATIVE_CFLAGS) $(NATIVE_LDLIBS))
# The list, so that the kernel is linked afresh when a source is gone.
build/flags/kernel-sources: FORCE
	$(call remember,$(KERNEL_SOURCES))

# What the kernel was built from, for the header of each recording: a digest of its sources and flags.
build/include/build_id.h: build/flags/kernel FORCE
	@mkdir -p $(@D)
	@id=$$(find src -type f -print0 | LC_ALL=C sort -z | xargs -0 cat build/flags/kernel | sha256sum | cut -c1-16); \
	line="#define BUILD_ID \"$$id\""; \
	printf '%s\n' "$$line" | cmp -s - $@ || printf '%s\n' "$$line" > $@

# ---- Kernel ----------------------------------------------------------------------------------------------------------

$(KERNEL_OBJECTS): build/flags/kernel | deps build/include/build_id.h

build/kernel/%.c.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<

build/kernel/%.S.o: %.S
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_ASFLAGS) -MMD -MP -c -o $@ $<

build/kernel.elf: $(KERNEL_OBJECTS) src/arch/x86_64/kernel.ld build/flags/kernel build/flags/kernel-sources
	$(call say,LD,$@)
	$(Q)$(LD) $(KERNEL_LDFLAGS) -T src/arch/x86_64/kernel.ld -o $@ $(KERNEL_OBJECTS)

# What is booted: GRUB loads debug information too, and an emulated CD drive is slow.
build/kernel-stripped.elf: build/kernel.elf
	$(Q)$(STRIP) --strip-all -o $@ $<

# ---- Micro-guests ----------------------------------------------------------------------------------------------------

# $(call catalogue,folder,sources): makes a catalogue of the micro-guests whose sources lie in a folder.
# FOLDER/guests/NAME.elf has the labels, for the harness; FOLDER/catalogue/NAME.elf is the same file without them, and goes
# into the archive FOLDER/catalogue.a, which GRUB loads as a module.
define catalogue
$(1)/guests/%.o: $(2)/%.S build/flags/guest | deps
	$$(call say,AS,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(GUEST_ASFLAGS) -MMD -MP -c -o $$@ $$<

$(1)/guests/%.elf: $(1)/guests/%.o guests/guest.ld
	$$(Q)$$(LD) $$(GUEST_LDFLAGS) -T guests/guest.ld -o $$@ $$<

$(1)/catalogue/%.elf: $(1)/guests/%.elf
	@mkdir -p $$(@D)
	$$(Q)$$(STRIP) --strip-all -o $$@ $$<

# The list, so that the archive is made afresh when a guest is gone.
$(1)/guests.list: FORCE
	$$(call remember,$(call names,$(2)))

$(1)/catalogue.a: $(call names,$(2),$(1)/catalogue/%.elf) $(1)/guests.list | deps
	$$(call say,AR,$$@)
	@rm -f $$@ $$(filter-out $$^,$$(wildcard $(1)/catalogue/*.elf)) \
		$$(filter-out $(call names,$(2),$(1)/guests/%.elf),$$(wildcard $(1)/guests/*.elf))
	$$(Q)$$(AR) rcD $$@ $$(filter %.elf,$$^)
endef
names = $(patsubst %,$(or $(2),%),$(basename $(notdir $(sort $(wildcard $(1)/*.S)))))

$(eval $(call catalogue,build,guests/asm))
# Guests that no catalogue should hold: they crash, or run away. The harness's own tests boot them.
$(eval $(call catalogue,build/unruly,tests/guests))

build/unruly/kernel-stripped.elf: build/kernel-stripped.elf
	@mkdir -p $(@D)
	@cp $< $@

# ---- Unit tests in C -------------------------------------------------------------------------------------------------

# A test names the sources that it needs in a comment at its top: /* sources: src/lib/format.c src/vmx/exits/ */
# A folder stands for all of its .c files.

unit_sources = $(foreach name,$(shell sed -n 's|^.*sources: *\(.*[^ ]\) *\*/.*|\1|p' $(1)),$(if \
	$(filter %/,$(name)),$(sort $(wildcard $(name)*.c)),$(name)))

define unit_rule
build/unit/$(1): build/native/tests/unit/$(1).o $(patsubst %.c,build/native/%.o,$(call unit_sources,tests/unit/$(1).c))
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(NATIVE_CFLAGS) -o $$@ $$^ $$(NATIVE_LDLIBS)
endef
$(foreach test,$(notdir $(UNIT_TESTS)),$(eval $(call unit_rule,$(test))))

build/native/%.o: %.c build/flags/native | deps
	$(call say,NATIVE,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(NATIVE_CFLAGS) -MMD -MP -c -o $@ $<

# ---- ISO image -------------------------------------------------------------------------------------------------------

## iso		build the ISO image, for a CD, a USB stick or an emulator: build/exitscope.iso
iso: $(ISO)

# No themes, fonts, translations, and only the modules that grub.cfg needs: a smaller image boots faster.
GRUB_MODULES := normal multiboot2 boot echo read

$(ISO): build/kernel-stripped.elf build/catalogue.a grub.cfg | deps
	$(call say,ISO,$@)
	@rm -rf build/iso && mkdir -p build/iso/boot/grub
	@cp build/kernel-stripped.elf build/iso/boot/kernel.elf
	@cp build/catalogue.a build/iso/boot/ && cp grub.cfg build/iso/boot/grub/
	$(Q)grub-mkrescue --directory=/usr/lib/grub/i386-pc --locales= --fonts= --themes= \
		--install-modules="$(GRUB_MODULES)" -o $@ build/iso >build/iso.log 2>&1 || { cat build/iso.log >&2; exit 1; }

# ---- Running ---------------------------------------------------------------------------------------------------------

HARNESS := $(PYTHON) -m harness
MACHINE_OPTIONS := --machine "$$MACHINE" --model "$$MODEL" --processors "$$PROCESSORS" --bochs "$$BOCHS" --qemu "$$QEMU" \
	--guest "$$GUEST"
PYTEST := PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(PYTHON) -m pytest

## check		build, and run every test: the guests, the C unit tests, the harness's own; GUEST= only those guests
check: all
	$(Q)$(PYTEST) $(MACHINE_OPTIONS) --junit-xml=build/junit.xml $(if $(GUEST),,tests) guests/asm

## run		boot the machine and print every exit while it runs; GUEST= only those guests
run: kernel guests
	$(Q)$(HARNESS) run $(MACHINE_OPTIONS) $(if $(DETAILS),--details)

## log		print the last recording again; GUEST= only those guests
log: | deps
	$(Q)$(HARNESS) log --guest "$$GUEST" $(if $(DETAILS),--details)

## new-guest	start a new micro-guest: NAME=my_guest REASON=CPUID MODE=LONG64
new-guest: | deps
	$(Q)$(HARNESS) new-guest --name "$$NAME" --reason "$$REASON" --mode "$$MODE"

## bless		write the expected trace of GUEST= from a run of it; then compare it with the SDM
bless: kernel guests
	$(Q)$(HARNESS) bless $(MACHINE_OPTIONS)

## bench		measure: exits a second, bytes an exit, time to the first record
bench: kernel guests
	$(Q)$(HARNESS) bench $(MACHINE_OPTIONS)

# ---- Upkeep ----------------------------------------------------------------------------------------------------------

C_FILES = $(call find,src,*.c) $(call find,src,*.h) $(call find,tests,*.c)

## lint		check format, types and style of all the sources
lint: build/include/build_id.h | deps-lint
	$(call say,LINT,C)
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)printf '%s\n' $(filter %.c,$(KERNEL_SOURCES)) | xargs -P$$(nproc) -n8 sh -c \
		'clang-tidy --quiet "$$@" -- $(filter-out -fno-pic -no-pie,$(KERNEL_CFLAGS)) 2>build/clang-tidy.log' sh
	$(call say,LINT,Python)
	$(Q)black --quiet --check --diff harness tests
	$(Q)flake8 harness tests
	$(Q)mypy harness
	$(call say,LINT,shell)
	$(Q)shellcheck harness/deps.sh .ci/run

## deps		install the Debian packages that are missing (as root), or name them
deps:
	@sh harness/deps.sh build
deps-lint: deps
	@sh harness/deps.sh lint

## clean		remove everything that was made
clean:
	rm -rf build

## help		this list
help:
	@echo 'make TARGET [VARIABLE=value ...]'
	@sed -n 's/^## \([a-z-]*\)\t*/\1\t/p' Makefile | expand -t 13 | sed 's/^/  /'
	@echo 'Variables:'
	@sed -n 's/^\([A-Z]*\) ?= *\([^#]*[^#\t ]\)*#[\t ]*\(.*\)/\1\t\3/p' Makefile | expand -t 13 | sed 's/^/  /'

-include $(call find,build/kernel build/native build/guests build/unruly,*.d)
