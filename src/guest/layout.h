/*
 * Where things are in a micro-guest's memory, for the kernel that lays them out and for the guest that uses
 * them: numbers only, because assembly includes this file too. All addresses are guest-physical and, in every
 * mode with paging, linear as well: the guest's page tables map the first 2 MiB one to one, user-accessible
 * and writable (on a processor without EPT just the guest's own memory, to where the host keeps it).
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define GUEST_MEMORY_SIZE 0x40000 /* RAM from 0 up to here; one 2 MiB page with LARGE_EPT_PAGES */

#define GUEST_IVT 0x0000	  /* real mode's interrupt vectors */
#define GUEST_GDT 0x1000	  /* see the selectors below */
#define GUEST_TSS 0x1400	  /* 104 bytes and no I/O permission bitmap */
#define GUEST_IDT 0x2000	  /* gates that GATE asks for */
#define GUEST_PML4 0x3000	  /* top-level table of long mode */
#define GUEST_PDPT 0x4000	  /* top-level table of PAE paging */
#define GUEST_PD 0x5000		  /* top-level table of 32-bit paging */
#define GUEST_PT 0x6000		  /* 4 KiB pages; for 32-bit paging this one maps the first 4 MiB */
#define GUEST_CODE 0x8000	  /* where guest.ld links .text */
#define GUEST_STACK 0x20000	  /* initial stack pointer, growing down */
#define GUEST_STACK_RING0 0x28000 /* the TSS's stack for entry to ring 0 */
#define GUEST_DATA 0x30000	  /* zeroed, for the guest's use, up to GUEST_MEMORY_SIZE */

#define GUEST_HOLE 0x100000	/* in the page tables, but no memory behind it: an EPT violation */
#define GUEST_UNMAPPED 0x800000 /* not in the page tables: a page fault in every paged mode */

/* Selectors of the GDT, the same in all protected modes. Ring 3 selectors carry RPL 3. */
#define GUEST_CS64 0x08
#define GUEST_CS32 0x10
#define GUEST_CS16 0x18
#define GUEST_DS 0x20
#define GUEST_DS16 0x28
#define GUEST_CS64_RING3 0x33
#define GUEST_CS32_RING3 0x3b
#define GUEST_DS_RING3 0x43
#define GUEST_TR 0x48

#endif
