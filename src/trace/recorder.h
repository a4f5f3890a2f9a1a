/*
 * The recorder: writes records (record.def) as frames to the serial port. The run loop calls it at each
 * event; one recorder, one stream. It takes plain data and knows neither guests' files nor the processor.
 */
#ifndef TRACE_RECORDER_H
#define TRACE_RECORDER_H

#include "arch/x86_64/stop.h"
#include "guest/outcome.h"
#include "lib/types.h"
#include "vmx/controls.h"
#include "vmx/exit.h"

/* What made the recording. Texts are NUL-terminated. */
struct record_header {
	const char *build;
	const char *command_line;
	const char *loader;
	const char *hypervisor;
	const char *vendor;
	const char *brand;
	u32 signature;
	unsigned processors;
	const struct vmx_capability *capability;
	u32 guests;
	u32 selected;
};

/* send: gets the stream's bytes in order. Before this call, and after record_end, every record is dropped. */
void recorder_start(void (*send)(const void *data, size_t size));

void record_header(const struct record_header *header);
void record_catalogue(u32 index, const char *name, u32 digest);
void record_guest_begin(u32 index, const char *name, const struct controls *controls, u32 exception_bitmap);
void record_exit(const struct vm_exit *exit, enum exit_next next);

/* instruction_error: 0 unless the outcome is OUTCOME_VMFAIL. detail: NULL for none. */
void record_guest_end(u32 index, enum outcome outcome, u32 exits, u32 instruction_error, const char *detail);

void record_log(const char *message);
void record_panic(const struct panic_info *info);
void record_end(enum stop_code stop, const char *detail, u32 guests);

#endif
