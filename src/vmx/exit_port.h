/*
 * The exit port: how a guest says that it is done. QEMU's ACPI power-off register has the same number and
 * value, so that the same guest code ends a QEMU machine. Numbers only: micro-guests include this file too.
 */
#ifndef VMX_EXIT_PORT_H
#define VMX_EXIT_PORT_H

#define EXIT_PORT 0x604
#define EXIT_PORT_VALUE 0x2000 /* written as 16 bits */

#endif
