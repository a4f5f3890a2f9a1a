/*
 * Accesses to control registers (vmx/exits/control_registers.c): what the guest may write, what its real
 * registers then hold, and the way into and out of IA-32e mode (SDM, "MOV - Move to/from Control Registers").
 */
/* sources: tests/unit/fake_vcpu.c src/vmx/exit.c src/vmx/prefixes.c src/vmx/exits/ */
#include "fake_vcpu.h"
#include "vmx/controls.h"
#include "vmx/exit_fields.h"

#define HIGH_HALF 0xdeadbeef00000000ull
#define CS_L BIT(13)
#define MAXPHYADDR 39 /* of the fake's processor */

static struct vm_exit exit_;

static struct vcpu *at(enum fake_mode mode)
{
	return fake_vcpu(mode, &exit_, EXIT_REASON_CR_ACCESS, 0, 3);
}

static enum exit_next run(struct vcpu *vcpu, u64 qualification)
{
	exit_.qualification = qualification;
	return fake_run(vcpu, &exit_);
}

/* MOV to a control register, from R9. */
static enum exit_next mov_to(struct vcpu *vcpu, unsigned number, u64 value)
{
	vcpu->registers[R9] = value;
	return run(vcpu, number | VALUE_CR_ACCESS_TYPE_mov_to_cr << 4 | R9 << 8);
}

static enum exit_next mov_from(struct vcpu *vcpu, unsigned number)
{
	vcpu->registers[R9] = ~0ull;
	return run(vcpu, number | VALUE_CR_ACCESS_TYPE_mov_from_cr << 4 | R9 << 8);
}

static enum exit_next lmsw(struct vcpu *vcpu, u64 source)
{
	return run(vcpu, VALUE_CR_ACCESS_TYPE_lmsw << 4 | source << 16);
}

static enum exit_next clts(struct vcpu *vcpu)
{
	return run(vcpu, VALUE_CR_ACCESS_TYPE_clts << 4);
}

static void assert_gp(struct vcpu *vcpu, enum exit_next next, bool real_mode)
{
	assert_fault(vcpu, next, VECTOR_GENERAL_PROTECTION, real_mode ? NO_CODE : 0);
}

/* The guest believes in `seen`; the real register also has what VMX needs. */
static void assert_cr0(const struct vcpu *vcpu, u64 seen)
{
	assert_int_equal(vcpu->vmcs[VMCS_CR0_READ_SHADOW], seen);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR0], seen | CR0_NE);
}

static void assert_cr4(const struct vcpu *vcpu, u64 seen)
{
	assert_int_equal(vcpu->vmcs[VMCS_CR4_READ_SHADOW], seen);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR4], seen | CR4_VMXE);
}

static void assert_long_mode(const struct vcpu *vcpu, bool active)
{
	u64 bit = control_mask(CONTROL_IA32E_MODE_GUEST);

	assert_int_equal(vcpu->vmcs[VMCS_GUEST_EFER] & EFER_LMA, active ? EFER_LMA : 0);
	assert_int_equal(vcpu->vmcs[VMCS_VM_ENTRY_CONTROLS] & bit, active ? bit : 0);
}

/* CR0. */

static void test_cr0_reserved_bits(void **state)
{
	struct vcpu *vcpu = at(FAKE_PROT32);

	(void)state;
	/* Bits 31:0 that are reserved are ignored, and ET is always 1; outside 64-bit mode the operand has 32
	 * bits. */
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, HIGH_HALF | 0x1ff2ffc0 | CR0_PE));
	assert_cr0(vcpu, CR0_PE | CR0_ET);
	for (unsigned bit = 32; bit < 64; bit++) {
		vcpu = at(FAKE_LONG64);
		assert_gp(vcpu, mov_to(vcpu, 0, BIT(bit) | CR0_PE | CR0_PG), false);
		assert_cr0(vcpu, CR0_PE | CR0_ET | CR0_WP | CR0_PG);
	}
}

static void test_cr0_invalid_combinations(void **state)
{
	static const struct {
		u64 value;
		bool valid;
	} cases[] = {
		{CR0_PG, false}, {CR0_NW, false},	  {CR0_PE | CR0_NW, false},
		{CR0_CD, true},	 {CR0_CD | CR0_NW, true}, {CR0_PE | CR0_CD | CR0_NW, true},
		{0, true},	 {CR0_PE | CR0_AM, true},
	};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		bool real_mode = i % 2;
		struct vcpu *vcpu = at(real_mode ? FAKE_REAL16 : FAKE_PROT32);
		u64 old = vcpu->vmcs[VMCS_CR0_READ_SHADOW];
		enum exit_next next = mov_to(vcpu, 0, cases[i / 2].value);

		if (cases[i / 2].valid) {
			assert_past(vcpu, &exit_, next);
			assert_cr0(vcpu, cases[i / 2].value | CR0_ET);
		} else {
			assert_gp(vcpu, next, real_mode);
			assert_cr0(vcpu, old);
		}
	}
}

/* What the processor cannot run with does not reach the real register. */
static void test_cr0_limits(void **state)
{
	struct vcpu *vcpu = at(FAKE_PROT32);

	(void)state;
	vcpu->limits.cr0_must_be_1 = CR0_NE | CR0_PE | CR0_PG;
	vcpu->limits.cr0_may_be_1 = 0xffffffff & ~CR0_CD;
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, CR0_CD));
	assert_int_equal(vcpu->vmcs[VMCS_CR0_READ_SHADOW], CR0_CD | CR0_ET);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR0], CR0_ET | CR0_NE | CR0_PE | CR0_PG);
}

/* A bit that the guest owns is seen in the register, not in the shadow (SDM, "Guest/Host Masks and Read
 * Shadows"). */
static void test_the_guest_sees_its_own_bits(void **state)
{
	struct vcpu *vcpu = at(FAKE_PROT32);

	(void)state;
	vcpu->vmcs[VMCS_CR0_GUEST_HOST_MASK] = ~(CR0_MP | CR0_AM);
	vcpu->vmcs[VMCS_CR0_READ_SHADOW] = CR0_PE | CR0_ET | CR0_TS | CR0_AM;
	vcpu->vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_ET | CR0_NE | CR0_MP;
	assert_past(vcpu, &exit_, clts(vcpu));
	assert_cr0(vcpu, CR0_PE | CR0_ET | CR0_MP);
}

/* SDM, "Initializing IA-32e Mode" */
static void test_paging_on_enters_ia32e_mode(void **state)
{
	struct vcpu *vcpu = at(FAKE_PROT32);

	(void)state;
	fake_set_cr4(vcpu, &exit_, CR4_PAE);
	fake_set_efer(vcpu, &exit_, EFER_LME);
	vcpu->pages[0] = FAKE_ABSENT; /* no PDPTEs are loaded */
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, CR0_PE | CR0_PG));
	assert_cr0(vcpu, CR0_PE | CR0_PG | CR0_ET);
	assert_long_mode(vcpu, true);
}

static void test_paging_on_that_cannot_enter_ia32e_mode(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct vcpu *vcpu = at(FAKE_PROT32);

		fake_set_cr4(vcpu, &exit_, i == 0 ? 0 : CR4_PAE);
		fake_set_efer(vcpu, &exit_, EFER_LME);
		if (i == 1)
			exit_.cs_access_rights |= CS_L;
		if (i == 2)
			vcpu->vmcs[VMCS_GUEST_TR_ACCESS_RIGHTS] = 0x83; /* a busy 16-bit TSS */
		assert_gp(vcpu, mov_to(vcpu, 0, CR0_PE | CR0_PG), false);
		assert_cr0(vcpu, CR0_PE | CR0_ET);
		assert_long_mode(vcpu, false);
	}
}

static void test_paging_off_leaves_ia32e_mode(void **state)
{
	struct vcpu *vcpu = at(FAKE_COMPAT32);

	(void)state;
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, CR0_PE));
	assert_cr0(vcpu, CR0_PE | CR0_ET);
	assert_long_mode(vcpu, false);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_EFER], EFER_LME);
	vcpu = at(FAKE_LONG64);
	assert_gp(vcpu, mov_to(vcpu, 0, CR0_PE), false);
	assert_long_mode(vcpu, true);
	vcpu = at(FAKE_COMPAT32);
	fake_set_cr4(vcpu, &exit_, CR4_PAE | CR4_PCIDE);
	assert_gp(vcpu, mov_to(vcpu, 0, CR0_PE), false);
	assert_long_mode(vcpu, true);
}

static void test_a_vmcs_without_efer(void **state)
{
	struct vcpu *vcpu = at(FAKE_COMPAT32);

	(void)state;
	vcpu->absent[VMCS_GUEST_EFER] = true;
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, CR0_PE));
	assert_int_equal(vcpu->vmcs[VMCS_VM_ENTRY_CONTROLS], 0);
}

static void test_paging_on_without_pae_loads_nothing(void **state)
{
	struct vcpu *vcpu = at(FAKE_PROT32);

	(void)state;
	memset(vcpu->memory, 0xff, sizeof(vcpu->memory));
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, CR0_PE | CR0_PG));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_PDPTE0], 0);
	assert_long_mode(vcpu, false);
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, CR0_PE));
	assert_cr0(vcpu, CR0_PE | CR0_ET);
}

/* SDM, "MOV - Move to/from Control Registers": with CR4.CET, CR0.WP stays set, and the other way round. */
static void test_cet_needs_write_protection(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	assert_past(vcpu, &exit_, mov_to(vcpu, 4, CR4_PAE | CR4_CET));
	vcpu = at(FAKE_PROT32);
	assert_gp(vcpu, mov_to(vcpu, 4, CR4_CET), false);
	vcpu = at(FAKE_LONG64);
	fake_set_cr4(vcpu, &exit_, CR4_PAE | CR4_CET);
	assert_gp(vcpu, mov_to(vcpu, 0, CR0_PE | CR0_PG), false);
	vcpu->vmcs[VMCS_ENTRY_INTERRUPTION_INFORMATION] = 0;
	assert_past(vcpu, &exit_, mov_to(vcpu, 0, CR0_PE | CR0_PG | CR0_WP | CR0_TS));
}

/* PDPTEs. */

static void set_pdpte(struct vcpu *vcpu, u64 table, unsigned index, u64 value)
{
	memcpy(vcpu->memory + table + 8 * index, &value, sizeof(value));
}

static void set_pdptes(struct vcpu *vcpu, u64 table)
{
	for (unsigned i = 0; i < 4; i++)
		set_pdpte(vcpu, table, i, 0x1000 * (i + 1) | 1);
}

static void assert_pdptes(const struct vcpu *vcpu)
{
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(vcpu->vmcs[VMCS_GUEST_PDPTE0 + 2 * i], 0x1000 * (i + 1) | 1);
}

/* SDM, "PDPTE Registers": which writes load them. */
static void test_writes_that_load_pdptes(void **state)
{
	static const struct {
		enum fake_mode mode;
		unsigned number;
		u64 old_cr4;
		u64 value;
		bool loads;
	} cases[] = {
		{FAKE_PROT32, 0, CR4_PAE, CR0_PE | CR0_PG, true},
		{FAKE_PAE32, 0, CR4_PAE, CR0_PE | CR0_PG | CR0_WP | CR0_CD, true},
		{FAKE_PAE32, 0, CR4_PAE, CR0_PE | CR0_PG | CR0_WP | CR0_CD | CR0_NW, true},
		{FAKE_PAE32, 0, CR4_PAE, CR0_PE | CR0_PG | CR0_TS, false},
		{FAKE_PAE32, 0, CR4_PAE, CR0_PE, false},
		{FAKE_COMPAT32, 0, CR4_PAE, CR0_PE | CR0_PG | CR0_CD, false},
		{FAKE_PAE32, 3, CR4_PAE, 0x1020, true},
		{FAKE_PAE32, 3, 0, 0x1020, false},
		{FAKE_LONG64, 3, CR4_PAE, 0x1020, false},
		{FAKE_PROT32, 3, CR4_PAE, 0x1020, false},
		{FAKE_PAE32, 4, 0, CR4_PAE, true},
		{FAKE_PAE32, 4, CR4_PAE, CR4_PAE | CR4_PSE, true},
		{FAKE_PAE32, 4, CR4_PAE, CR4_PAE | CR4_PGE, true},
		{FAKE_PAE32, 4, CR4_PAE | CR4_SMEP, CR4_PAE, true},
		{FAKE_PAE32, 4, CR4_PAE, CR4_PAE | CR4_OSFXSR, false},
		{FAKE_PAE32, 4, CR4_PAE, CR4_PSE, false},
		{FAKE_PROT32, 4, 0, CR4_PAE, false},
		{FAKE_LONG64, 4, CR4_PAE, CR4_PAE | CR4_PGE, false},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcpu *vcpu = at(cases[i].mode);

		fake_set_cr4(vcpu, &exit_, cases[i].old_cr4);
		vcpu->vmcs[VMCS_GUEST_CR3] = 0x1020;
		set_pdptes(vcpu, 0x1020);
		assert_past(vcpu, &exit_, mov_to(vcpu, cases[i].number, cases[i].value));
		if (cases[i].loads)
			assert_pdptes(vcpu);
		else
			assert_int_equal(vcpu->vmcs[VMCS_GUEST_PDPTE0], 0);
	}
}

/* The address of the table is in bits 31:5 of CR3: PWT, PCD and the other low bits do not count. */
static void test_pdpte_table_address(void **state)
{
	struct vcpu *vcpu = at(FAKE_PAE32);

	(void)state;
	set_pdptes(vcpu, 0x2fe0);
	assert_past(vcpu, &exit_, mov_to(vcpu, 3, 0x2fe0 | 0x18));
	assert_pdptes(vcpu);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR3], 0x2ff8);
	vcpu = at(FAKE_PAE32);
	assert_gp(vcpu, mov_to(vcpu, 3, 0x100000), false); /* no memory there */
}

static bool pdpte_is_accepted(unsigned index, u64 value, bool has_fields)
{
	struct vcpu *vcpu = at(FAKE_PAE32);

	for (unsigned i = 0; i < 4; i++)
		vcpu->absent[VMCS_GUEST_PDPTE0 + 2 * i] = !has_fields;
	set_pdptes(vcpu, 0);
	set_pdpte(vcpu, 0, index, value);

	enum exit_next next = mov_to(vcpu, 3, 0);

	if (next == EXIT_RESUME_PAST)
		return true;
	assert_gp(vcpu, next, false);
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_PDPTE0], 0);
	return false;
}

/* SDM, "Format of a PAE Page-Directory-Pointer-Table Entry (PDPTE)"; without EPT VM entry would fail on them.
 */
static void test_pdpte_reserved_bits(void **state)
{
	(void)state;
	for (unsigned bit = 1; bit < 64; bit++) {
		bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= MAXPHYADDR;

		for (unsigned index = 0; index < 4; index++) {
			assert_int_equal(pdpte_is_accepted(index, BIT(bit) | 1, true), !reserved);
			assert_int_equal(pdpte_is_accepted(index, BIT(bit) | 1, false), !reserved);
			assert_true(pdpte_is_accepted(index, BIT(bit), true)); /* not present */
		}
	}
}

/* CR3. */

static void test_cr3_width(void **state)
{
	struct vcpu *vcpu = at(FAKE_PROT32);

	(void)state;
	assert_past(vcpu, &exit_, mov_to(vcpu, 3, HIGH_HALF | 0x12345678));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR3], 0x12345678);
	for (unsigned bit = 12; bit < 64; bit++) {
		vcpu = at(FAKE_LONG64);
		if (bit < MAXPHYADDR) {
			assert_past(vcpu, &exit_, mov_to(vcpu, 3, BIT(bit)));
			assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR3], BIT(bit));
		} else {
			assert_gp(vcpu, mov_to(vcpu, 3, BIT(bit)), false);
			assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR3], 0);
		}
	}
}

/* Bit 63 asks not to flush, where there are PCIDs, and is never stored. */
static void test_cr3_no_flush(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	fake_set_cr4(vcpu, &exit_, CR4_PAE | CR4_PCIDE);
	assert_past(vcpu, &exit_, mov_to(vcpu, 3, BIT(63) | 0x3005));
	assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR3], 0x3005);
	vcpu->vmcs[VMCS_GUEST_RIP] = FAKE_RIP;
	assert_gp(vcpu, mov_to(vcpu, 3, BIT(62)), false);
}

static void test_cr3_read(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	vcpu->vmcs[VMCS_GUEST_CR3] = 0x1234567000;
	assert_past(vcpu, &exit_, mov_from(vcpu, 3));
	assert_int_equal(vcpu->registers[R9], 0x1234567000);
	vcpu = at(FAKE_COMPAT32);
	vcpu->vmcs[VMCS_GUEST_CR3] = 0x1234567000;
	assert_past(vcpu, &exit_, mov_from(vcpu, 3));
	assert_int_equal(vcpu->registers[R9], 0x34567000);
}

static void test_every_operand_register(void **state)
{
	(void)state;
	for (enum general_register i = RAX; i <= R15; i++) {
		struct vcpu *vcpu = at(FAKE_LONG64);

		vcpu->registers[i] = 0x5000;
		assert_past(vcpu, &exit_, run(vcpu, 3 | i << 8));
		assert_int_equal(vcpu->vmcs[VMCS_GUEST_CR3], 0x5000);
		vcpu->vmcs[VMCS_GUEST_CR3] = 0x6000;
		assert_past(vcpu, &exit_, run(vcpu, 3 | VALUE_CR_ACCESS_TYPE_mov_from_cr << 4 | i << 8));
		assert_int_equal(vcpu->registers[i], 0x6000);
	}
}

/* CR4. */

/* The guest has no VMX, so CR4.VMXE is a reserved bit to it. */
static void test_cr4_reserved_bits(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		struct vcpu *vcpu = at(FAKE_LONG64);
		u64 bits = BIT(bit);
		bool allowed = (bits & vcpu->limits.cr4_may_be_1) && !(bits & (CR4_VMXE | CR4_LA57));
		enum exit_next next = mov_to(vcpu, 4, CR4_PAE | bits);

		if (allowed) {
			assert_past(vcpu, &exit_, next);
			assert_cr4(vcpu, CR4_PAE | bits);
		} else {
			assert_gp(vcpu, next, false);
			assert_cr4(vcpu, CR4_PAE);
		}
	}
}

static void test_cr4_in_ia32e_mode(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	assert_gp(vcpu, mov_to(vcpu, 4, 0), false);
	vcpu = at(FAKE_COMPAT32);
	assert_gp(vcpu, mov_to(vcpu, 4, 0), false);
	vcpu = at(FAKE_COMPAT32);
	assert_gp(vcpu, mov_to(vcpu, 4, CR4_PAE | CR4_LA57), false);
	vcpu = at(FAKE_PROT32); /* 5-level paging is not the guest's in any mode */
	assert_gp(vcpu, mov_to(vcpu, 4, CR4_LA57), false);
	vcpu = at(FAKE_PAE32);
	assert_past(vcpu, &exit_, mov_to(vcpu, 4, 0));
	assert_cr4(vcpu, 0);
}

/* CR4.PCIDE can be set in IA-32e mode only, and only while CR3's PCID is 0. */
static void test_cr4_pcide(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	vcpu->vmcs[VMCS_GUEST_CR3] = 0x3000;
	assert_past(vcpu, &exit_, mov_to(vcpu, 4, CR4_PAE | CR4_PCIDE));
	/* Set already: CR3 may hold a PCID. */
	vcpu->vmcs[VMCS_GUEST_CR3] = 0x3005;
	assert_past(vcpu, &exit_, mov_to(vcpu, 4, CR4_PAE | CR4_PCIDE | CR4_PGE));
	vcpu = at(FAKE_LONG64);
	vcpu->vmcs[VMCS_GUEST_CR3] = 0x3001;
	assert_gp(vcpu, mov_to(vcpu, 4, CR4_PAE | CR4_PCIDE), false);
	vcpu = at(FAKE_PAE32);
	assert_gp(vcpu, mov_to(vcpu, 4, CR4_PAE | CR4_PCIDE), false);
}

static void test_cr4_from_a_32_bit_operand(void **state)
{
	struct vcpu *vcpu = at(FAKE_REAL16);

	(void)state;
	assert_past(vcpu, &exit_, mov_to(vcpu, 4, HIGH_HALF | CR4_PSE));
	assert_cr4(vcpu, CR4_PSE);
	vcpu = at(FAKE_REAL16);
	assert_gp(vcpu, mov_to(vcpu, 4, CR4_VMXE), true);
}

/* CR8. */

static void test_cr8(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	for (u64 value = 0; value < 16; value++) {
		assert_past(vcpu, &exit_, mov_to(vcpu, 8, value));
		assert_int_equal(vcpu->state[VCPU_CR8], value);
		assert_past(vcpu, &exit_, mov_from(vcpu, 8));
		assert_int_equal(vcpu->registers[R9], value);
	}
	for (unsigned bit = 4; bit < 64; bit++) {
		vcpu = at(FAKE_LONG64);
		assert_gp(vcpu, mov_to(vcpu, 8, BIT(bit)), false);
		assert_int_equal(vcpu->state[VCPU_CR8], 0);
	}
}

/* The others. */

/* SDM, "LMSW": PE, MP, EM and TS; it can set PE and cannot clear it. */
static void test_lmsw(void **state)
{
	(void)state;
	for (u64 source = 0; source < 16; source++) {
		for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
			struct vcpu *vcpu = at(mode);
			u64 old = vcpu->vmcs[VMCS_CR0_READ_SHADOW] | CR0_MP;

			fake_set_cr0(vcpu, &exit_, old);
			assert_past(vcpu, &exit_, lmsw(vcpu, 0xffe0 | source));
			assert_cr0(vcpu, (old & ~0xeull) | source);
		}
	}
}

static void test_clts(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);
	u64 old = vcpu->vmcs[VMCS_CR0_READ_SHADOW];

	(void)state;
	fake_set_cr0(vcpu, &exit_, old | CR0_TS);
	assert_past(vcpu, &exit_, clts(vcpu));
	assert_cr0(vcpu, old);
	assert_past(vcpu, &exit_, clts(vcpu));
	assert_cr0(vcpu, old);
}

static void test_accesses_that_never_exit(void **state)
{
	struct vcpu *vcpu = at(FAKE_LONG64);

	(void)state;
	assert_unhandled(vcpu, mov_from(vcpu, 0));
	assert_unhandled(vcpu, mov_from(vcpu, 4));
	assert_unhandled(vcpu, mov_from(vcpu, 2));
	assert_unhandled(vcpu, mov_to(vcpu, 2, 0));
	assert_unhandled(vcpu, mov_to(vcpu, 15, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cr0_reserved_bits),
		cmocka_unit_test(test_cr0_invalid_combinations),
		cmocka_unit_test(test_cr0_limits),
		cmocka_unit_test(test_the_guest_sees_its_own_bits),
		cmocka_unit_test(test_paging_on_enters_ia32e_mode),
		cmocka_unit_test(test_paging_on_that_cannot_enter_ia32e_mode),
		cmocka_unit_test(test_paging_off_leaves_ia32e_mode),
		cmocka_unit_test(test_a_vmcs_without_efer),
		cmocka_unit_test(test_paging_on_without_pae_loads_nothing),
		cmocka_unit_test(test_cet_needs_write_protection),
		cmocka_unit_test(test_writes_that_load_pdptes),
		cmocka_unit_test(test_pdpte_table_address),
		cmocka_unit_test(test_pdpte_reserved_bits),
		cmocka_unit_test(test_cr3_width),
		cmocka_unit_test(test_cr3_no_flush),
		cmocka_unit_test(test_cr3_read),
		cmocka_unit_test(test_every_operand_register),
		cmocka_unit_test(test_cr4_reserved_bits),
		cmocka_unit_test(test_cr4_in_ia32e_mode),
		cmocka_unit_test(test_cr4_pcide),
		cmocka_unit_test(test_cr4_from_a_32_bit_operand),
		cmocka_unit_test(test_cr8),
		cmocka_unit_test(test_lmsw),
		cmocka_unit_test(test_clts),
		cmocka_unit_test(test_accesses_that_never_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
