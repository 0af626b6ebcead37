/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The registers with which a thread entered the kernel. */
#ifndef CT_USER_REGISTERS_H
#define CT_USER_REGISTERS_H

#include "kernel_types.h"
#include "wire.h"

static __always_inline void copy_arguments(__u64 *to, const struct pt_regs *regs)
{
	to[0] = regs->di;
	to[1] = regs->si;
	to[2] = regs->dx;
	to[3] = regs->r10;
	to[4] = regs->r8;
	to[5] = regs->r9;
}

/* By DWARF number; see CT_REGISTERS. */
static __always_inline void copy_registers(__u64 *to, const struct pt_regs *regs)
{
	to[0] = regs->ax;
	to[1] = regs->dx;
	to[2] = regs->cx;
	to[3] = regs->bx;
	to[4] = regs->si;
	to[5] = regs->di;
	to[6] = regs->bp;
	to[7] = regs->sp;
	to[8] = regs->r8;
	to[9] = regs->r9;
	to[10] = regs->r10;
	to[11] = regs->r11;
	to[12] = regs->r12;
	to[13] = regs->r13;
	to[14] = regs->r14;
	to[15] = regs->r15;
	to[16] = regs->ip;
}

static __always_inline bool read_user_registers(struct pt_regs *regs, void *at)
{
	if (bpf_probe_read_kernel(regs, sizeof(*regs), at))
		return false;
	return regs->cs == USER_CS || regs->cs == USER32_CS;
}

/* Whether there is room above the registers is no type's name: the code segment tells whether it
 * was them that were read. */
static __always_inline bool read_stack_top(struct pt_regs *regs, struct task_struct *task)
{
	void *top = BPF_CORE_READ(task, stack) + X86_THREAD_SIZE;
	void *at = top - bpf_core_type_size(struct pt_regs);

	return read_user_registers(regs, at) || read_user_registers(regs, at - X86_FRED_PADDING);
}

#endif /* CT_USER_REGISTERS_H */
