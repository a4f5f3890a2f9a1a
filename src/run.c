/*
 * The path of one exit: enter the guest, read the exit, dispatch it to its handler, record it, and resume or
 * end. And the watchdog around it: the VMX-preemption timer where the processor has one and the guest does
 * not use it itself, the local APIC's timer otherwise; and a budget of exits.
 */
#include "run.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/pages.h"
#include "arch/x86_64/pit.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/stop.h"
#include "arch/x86_64/traps.h"
#include "guest/outcome.h"
#include "guest/setup.h"
#include "trace/recorder.h"

/* The interrupt of the watchdog that stands in for the VMX-preemption timer. */
#define WATCHDOG_VECTOR 0xef

struct run {
	struct vcpu *vcpu;
	struct setup setup;
	bool ended;
	enum outcome outcome;
	u32 instruction_error;
};

static void end_run(struct run *run, enum outcome outcome)
{
	run->ended = true;
	run->outcome = outcome;
}

static enum outcome outcome_of(enum exit_next next)
{
	switch (next) {
	case EXIT_POWER_OFF:
		return OUTCOME_EXIT_PORT;
	case EXIT_HALT:
		return OUTCOME_HALTED;
	case EXIT_WATCHDOG:
		return OUTCOME_WATCHDOG_TIME;
	default:
		return OUTCOME_EXIT_UNHANDLED;
	}
}

/* The timer is the watchdog's, and no handler's. */
static bool is_watchdog_timer(const struct run *run, const struct vm_exit *exit)
{
	return run->setup.timer_is_watchdog && exit_basic_reason(exit) == EXIT_REASON_PREEMPTION_TIMER;
}

/* Whether the interrupt that the handler took away was the watchdog's. */
static bool is_watchdog_interrupt(const struct run *run, const struct vm_exit *exit)
{
	bool acknowledged = exit->interruption_information & EVENT_VALID;

	if (run->setup.timer_is_watchdog || exit_basic_reason(exit) != EXIT_REASON_EXTERNAL_INTERRUPT)
		return false;
	return WATCHDOG_VECTOR == (acknowledged ? (int)(exit->interruption_information & EVENT_VECTOR_MASK)
						: this_processor()->vector);
}

static enum exit_next answer(struct run *run, const struct vm_exit *exit)
{
	if (is_watchdog_timer(run, exit))
		return EXIT_WATCHDOG;
	enum exit_next next = exit_dispatch(run->vcpu, exit);

	return is_watchdog_interrupt(run, exit) ? EXIT_WATCHDOG : next;
}

static void handle_exit(struct run *run)
{
	struct vm_exit exit = {0};

	vcpu_read_exit(run->vcpu, &exit);
	enum exit_next next = answer(run, &exit);

	record_exit(&exit, next);
	if (next != EXIT_RESUME_PAST && next != EXIT_RESUME_HERE)
		end_run(run, outcome_of(next));
	else if (exit.number + 1 >= EXIT_BUDGET)
		end_run(run, OUTCOME_WATCHDOG_EXITS);
}

/* From VM entry to the record of the exit that follows. Runs on the processor that the vCPU is to run on. */
static void step(void *argument)
{
	struct run *run = argument;

	vcpu_bind(run->vcpu);
	switch (vcpu_enter(run->vcpu, &run->instruction_error)) {
	case VCPU_EXITED:
		handle_exit(run);
		break;
	case VCPU_VMFAIL_VALID:
		end_run(run, OUTCOME_VMFAIL);
		break;
	case VCPU_VMFAIL_INVALID:
		panic("VM entry found no current VMCS, though vcpu_bind made one current");
	}
	if (run->setup.moves || run->ended)
		vcpu_retire(run->vcpu);
}

static void run_to_the_end(struct run *run, unsigned processors)
{
	unsigned processor = 0;

	if (run->setup.pending_interrupt >= 0)
		apic_self_ipi((u8)run->setup.pending_interrupt);
	if (!run->setup.timer_is_watchdog)
		apic_timer_start_milliseconds(WATCHDOG_VECTOR, TIME_BUDGET_MILLISECONDS);
	if (run->setup.moves)
		vcpu_unbind(run->vcpu);
	while (!run->ended) {
		if (!smp_call(processor, step, run))
			panic("processor %u did not come back from a guest", processor);
		if (run->setup.moves)
			processor = (processor + 1) % processors;
	}
	apic_timer_stop();
	while (interrupts_accept() != NO_VECTOR)
		;
}

static void record_begin(const struct vcpu *vcpu, const struct guest *guest, bool ready)
{
	struct controls controls = ready ? controls_read(vcpu->capability) : vcpu->controls;

	record_guest_begin(guest->index, guest->name, &controls,
			   ready ? (u32)vmcs_read(VMCS_EXCEPTION_BITMAP) : 0);
	/* Whatever the guest does to the machine, it must be known that it was this one. */
	serial_flush();
}

void run_guest(struct vcpu *vcpu, const struct guest *guest, unsigned processors)
{
	static struct run run;
	size_t pages = pages_statistics().free;
	enum setup_result result;

	run = (struct run){.vcpu = vcpu};
	result = setup_guest(&run.setup, vcpu, guest, processors,
			     tsc_per_millisecond() * TIME_BUDGET_MILLISECONDS);
	record_begin(vcpu, guest, result == SETUP_READY);
	if (result == SETUP_READY) {
		run_to_the_end(&run, processors);
		record_guest_end(guest->index, run.outcome, vcpu->exits, run.instruction_error, NULL);
	} else {
		vcpu_retire(vcpu);
		record_guest_end(guest->index, result == SETUP_SKIPPED ? OUTCOME_SKIPPED : OUTCOME_MALFORMED,
				 0, 0, run.setup.detail);
	}
	setup_release(vcpu);
	if (pages_statistics().free != pages)
		panic("guest %s left %zu pages free, there were %zu before it", guest->name,
		      pages_statistics().free, pages);
}
