// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Tier 1: every futex call that can block, from its entry to its end. Counts each
 * wait per lock; long ones travel to the tracer with registers and stack. Three
 * ways to be called lead to the same two functions, wait_begins and wait_ends.
 */
#include "wait_tracking.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* --- who let a waiter go ------------------------------------------------------------------- */

/* The task that is waking `task` lets it go. A timer or a signal wakes, too: the end tells. */
SEC("tp_btf/sched_waking")
int BPF_PROG(ct_waking, struct task_struct *task)
{
	struct wait_state *state, *own;
	__u64 ids, now;
	__u32 tid;

	if (has_task_storage) {
		state = bpf_task_storage_get(&waiting_tasks, task, 0, 0);
	} else {
		tid = task->pid;
		state = bpf_map_lookup_elem(&waiting_tids, &tid);
	}
	if (!state || state->phase != PHASE_WAITING)
		return 0;
	ids = bpf_get_current_pid_tgid();
	now = bpf_ktime_get_ns();
	state->waker_tid = (__u32)ids;
	state->waker_tgid = ids >> 32;
	state->woken_at = now;
	if (now - state->begin >= control.min_wait)
		bpf_get_current_comm(state->waker_comm, sizeof(state->waker_comm));
	else
		state->waker_comm[0] = 0;
	own = own_state(false);
	if (own && own->address == state->address && own->space == state->space)
		state->flags |= CT_WAIT_BY_WAITER;
	else
		state->flags &= ~CT_WAIT_BY_WAITER;
	return 0;
}

/* A thread that was killed while it waited has waited until then. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ct_exit, struct task_struct *task)
{
	struct wait_state *state = own_state(false);
	__u32 tid;

	if (!state)
		return 0;
	if (state->phase != PHASE_IDLE) {
		state->flags |= CT_WAIT_EXITED | CT_WAIT_INTERRUPTED;
		close_wait(state, state->phase == PHASE_INTERRUPTED ? state->interrupted_at
								    : bpf_ktime_get_ns());
	}
	if (!has_task_storage) {
		tid = (__u32)bpf_get_current_pid_tgid();
		bpf_map_delete_elem(&waiting_tids, &tid);
	}
	return 0;
}

/* --- syscall tracepoints: everywhere, but every system call of the host pays for them --------- */

/* Common to all: /sys/kernel/tracing/events/syscalls/sys_{enter,exit}_*\/format */
struct enter_context {
	__u64 common;
	long number;
	__u64 arguments[6];
};

struct exit_context {
	__u64 common;
	long number;
	long result;
};

static __always_inline bool read_own_registers(struct pt_regs *regs)
{
	__builtin_memset(regs, 0, sizeof(*regs));
	return read_stack_top(regs, (struct task_struct *)bpf_get_current_task());
}

SEC("tracepoint/syscalls/sys_enter_futex")
int ct_enter_futex(struct enter_context *ctx)
{
	futex_begins(ctx->arguments[0], ctx->arguments[1], ctx->arguments[2]);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_futex")
int ct_exit_futex(struct exit_context *ctx)
{
	struct pt_regs regs;

	if (!is_seen() || wait_ends(ctx->result, false) || ctx->result < 0)
		return 0;
	if (read_own_registers(&regs))
		futex_ends(regs.di, regs.si, regs.dx, ctx->result);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_restart_syscall")
int ct_exit_restart(struct exit_context *ctx)
{
	if (is_seen())
		wait_ends(ctx->result, true);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_futex_wait")
int ct_enter_futex_wait(struct enter_context *ctx)
{
	COUNT(calls);
	if (is_seen())
		wait_begins(ctx->arguments[0], CT_COMMAND_FUTEX_WAIT, ctx->arguments[1]);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_futex_wait")
int ct_exit_futex_wait(struct exit_context *ctx)
{
	if (is_seen())
		wait_ends(ctx->result, false);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_futex_waitv")
int ct_enter_futex_waitv(struct enter_context *ctx)
{
	futex_waitv_begins(ctx->arguments[0]);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_futex_waitv")
int ct_exit_futex_waitv(struct exit_context *ctx)
{
	if (is_seen())
		wait_ends(ctx->result, false);
	return 0;
}

/* --- fentry: only futex calls pay ------------------------------------------------------------- */

SEC("fentry/do_futex")
int BPF_PROG(ct_fentry_futex, __u32 *address, int op, __u32 expected)
{
	futex_begins((__u64)address, op, expected);
	return 0;
}

/* long do_futex(u32 __user *uaddr, int op, u32 val, ktime_t *timeout, u32 __user *uaddr2,
 *               u32 val2, u32 val3): the same from 5.10 to 7.x */
SEC("fexit/do_futex")
int BPF_PROG(ct_fexit_futex, __u32 *address, int op, __u32 expected, void *timeout, __u32 *address2,
	     __u32 val2, __u32 val3, long result)
{
	futex_ends((__u64)address, op, expected, result);
	return 0;
}

/* A timed wait that goes on after a signal; static, but never inlined: it is called by pointer. */
SEC("fexit/futex_wait_restart")
int BPF_PROG(ct_fexit_restart, void *restart, long result)
{
	if (is_seen())
		wait_ends(result, true);
	return 0;
}

SEC("fentry/__x64_sys_futex_wait")
int BPF_PROG(ct_fentry_futex_wait, const struct pt_regs *regs)
{
	COUNT(calls);
	if (is_seen())
		wait_begins(regs->di, CT_COMMAND_FUTEX_WAIT, regs->si);
	return 0;
}

SEC("fexit/__x64_sys_futex_wait")
int BPF_PROG(ct_fexit_futex_wait, const struct pt_regs *regs, long result)
{
	if (is_seen())
		wait_ends(result, false);
	return 0;
}

SEC("fentry/__x64_sys_futex_waitv")
int BPF_PROG(ct_fentry_futex_waitv, const struct pt_regs *regs)
{
	futex_waitv_begins(regs->di);
	return 0;
}

SEC("fexit/__x64_sys_futex_waitv")
int BPF_PROG(ct_fexit_futex_waitv, const struct pt_regs *regs, long result)
{
	if (is_seen())
		wait_ends(result, false);
	return 0;
}

/* --- kprobes: the same functions where there is no trampoline --------------------------------- */

SEC("kprobe/do_futex")
int ct_kprobe_futex(struct pt_regs *regs)
{
	futex_begins(regs->di, (__u32)regs->si, (__u32)regs->dx);
	return 0;
}

static __always_inline int call_returns(struct pt_regs *regs, bool was_restarted)
{
	if (is_seen())
		wait_ends((long)regs->ax, was_restarted);
	return 0;
}

SEC("kretprobe/do_futex")
int ct_kretprobe_futex(struct pt_regs *regs)
{
	return call_returns(regs, false);
}

SEC("kretprobe/futex_wait_restart")
int ct_kretprobe_restart(struct pt_regs *regs)
{
	return call_returns(regs, true);
}

SEC("kprobe/__x64_sys_futex_wait")
int ct_kprobe_futex_wait(struct pt_regs *regs)
{
	struct pt_regs *user = (struct pt_regs *)regs->di;

	COUNT(calls);
	if (is_seen())
		wait_begins(BPF_CORE_READ(user, di), CT_COMMAND_FUTEX_WAIT,
			    BPF_CORE_READ(user, si));
	return 0;
}

SEC("kretprobe/__x64_sys_futex_wait")
int ct_kretprobe_futex_wait(struct pt_regs *regs)
{
	return call_returns(regs, false);
}

SEC("kprobe/__x64_sys_futex_waitv")
int ct_kprobe_futex_waitv(struct pt_regs *regs)
{
	struct pt_regs *user = (struct pt_regs *)regs->di;

	futex_waitv_begins(BPF_CORE_READ(user, di));
	return 0;
}

SEC("kretprobe/__x64_sys_futex_waitv")
int ct_kretprobe_futex_waitv(struct pt_regs *regs)
{
	return call_returns(regs, false);
}
