// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * How long event loops stay away from their selector: from the exit of epoll_wait,
 * poll, select and their kin to the next entry on that thread. Every thread of the
 * selected processes that calls one is followed; which of them run an event loop is
 * for the tracer to find out.
 */
#include "user_registers.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct ct_loops_control control = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CT_SELECTED_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
} selected SEC(".maps");

/* By tid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CT_LOOP_THREADS);
	__type(key, __u32);
	__type(value, struct ct_loop_state);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_loop_counters);
} counters SEC(".maps");

static const struct ct_loop_state new_thread;

#define COUNT(what)                                                                                \
	do {                                                                                       \
		__u32 zero_ = 0;                                                                   \
		struct ct_loop_counters *c_ = bpf_map_lookup_elem(&counters, &zero_);              \
		if (c_)                                                                            \
			c_->what++;                                                                \
	} while (0)

static __always_inline struct ct_loop_state *own_state(void)
{
	__u64 ids = bpf_get_current_pid_tgid();
	__u32 tid = ids, tgid = ids >> 32;
	struct ct_loop_state *state;

	if (!bpf_map_lookup_elem(&selected, &tgid))
		return 0;
	state = bpf_map_lookup_elem(&threads, &tid);
	if (state)
		return state;
	if (bpf_map_update_elem(&threads, &tid, &new_thread, BPF_NOEXIST))
		COUNT(lost_thread);
	state = bpf_map_lookup_elem(&threads, &tid);
	if (state)
		state->tgid = tgid;
	return state;
}

static __always_inline __u64 queued_so_far(struct task_struct *task)
{
	/* CONFIG_SCHED_INFO; every distribution has it. */
	if (!bpf_core_field_exists(task->sched_info.run_delay))
		return 0;
	return BPF_CORE_READ(task, sched_info.run_delay);
}

/* Up to the last tick. */
static __always_inline __u64 cpu_so_far(struct task_struct *task)
{
	return BPF_CORE_READ(task, se.sum_exec_runtime);
}

static __always_inline void send(const struct ct_iteration_record *iteration)
{
	struct ct_iteration_record *record =
	    bpf_ringbuf_reserve(&records, sizeof(struct ct_iteration_record), 0);

	if (!record) {
		COUNT(lost_ring);
		return;
	}
	__builtin_memcpy(record, iteration, sizeof(*record));
	/* The tracer looks often anyway. */
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

static __always_inline void end_iteration(struct ct_loop_state *state)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct ct_iteration_record iteration = {
	    .kind = CT_RECORD_ITERATION,
	    .tid = (__u32)bpf_get_current_pid_tgid(),
	    .tgid = state->tgid,
	    .begin = state->begin,
	    .end = bpf_ktime_get_ns(),
	};
	__u64 took = iteration.end - iteration.begin;

	state->begin = 0;
	if (!iteration.begin)
		return;
	state->iterations++;
	state->total += took;
	if (took > state->max)
		state->max = took;
	if (took < control.threshold)
		return;
	iteration.queued = queued_so_far(task) - state->queued;
	iteration.cpu = cpu_so_far(task) - state->cpu;
	/* That is the host's doing, or the cgroup's, and not the loop's. */
	if (took < control.threshold + iteration.queued) {
		state->starved++;
		state->starved_total += took;
		return;
	}
	state->slow++;
	state->slow_total += took;
	send(&iteration);
}

static __always_inline void begin_iteration(struct ct_loop_state *state)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	state->queued = queued_so_far(task);
	state->cpu = cpu_so_far(task);
	state->begin = bpf_ktime_get_ns();
}

static __always_inline __u64 own_stack_pointer(void)
{
	struct pt_regs regs = {};

	if (!read_stack_top(&regs, (struct task_struct *)bpf_get_current_task()))
		return 0;
	return regs.sp;
}

/* poll and select have no descriptor of their own that could tell one from another. */
#define NO_DESCRIPTOR		     (~0U)
#define SELECTOR(number, descriptor) (((__u64)(number) << 32) | (__u32)(descriptor))

/*
 * How many calls of another selector in a row, no deeper on the stack, make it the
 * loop's: a new loop after the old one. A callback that polls for a while is none.
 */
#define MAX_STRANGERS 64

static __always_inline bool is_own(struct ct_loop_state *state, __u64 selector)
{
	bool has_descriptor = (__u32)state->selector != NO_DESCRIPTOR;
	__u64 sp;

	if (selector == state->selector && has_descriptor) {
		state->strangers = 0;
		return true;
	}
	sp = own_stack_pointer();
	/* Deeper than the loop's own call. uvloop's has 12 KB of events below it: there a
	 * callback's call is not deeper, and only its descriptor tells. */
	if (sp < state->stack_pointer)
		return false;
	if (state->selector && has_descriptor && ++state->strangers < MAX_STRANGERS)
		return false;
	state->strangers = 0;
	state->stack_pointer = sp;
	state->selector = selector;
	return true;
}

static __always_inline int selector_begins(__u64 selector)
{
	struct ct_loop_state *state = own_state();

	if (state && is_own(state, selector))
		end_iteration(state);
	return 0;
}

static __always_inline int selector_ends(void)
{
	struct ct_loop_state *state = own_state();

	/* Out of a selector of a callback's own: the iteration goes on. */
	if (state && !state->begin)
		begin_iteration(state);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ct_loop_exit, struct task_struct *task)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&threads, &tid);
	return 0;
}

/* Common to all: /sys/kernel/tracing/events/syscalls/sys_enter_*\/format */
struct enter_context {
	__u64 common;
	long number;
	__u64 arguments[6];
};

/* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_POLL		7
#define NR_SELECT	23
#define NR_EPOLL_WAIT	232
#define NR_PSELECT6	270
#define NR_PPOLL	271
#define NR_EPOLL_PWAIT	281
#define NR_EPOLL_PWAIT2 441

/*
 * Two ways to be called for each: by fentry only these calls pay, by the tracepoints
 * every system call of the host. A kretprobe is none: an instance of it is taken by
 * each thread that sleeps in the call.
 */
#define SELECTOR_CALL(name, number, entered_descriptor, called_descriptor)                         \
	SEC("tracepoint/syscalls/sys_enter_" #name)                                                \
	int ct_enter_##name(struct enter_context *ctx)                                             \
	{                                                                                          \
		return selector_begins(SELECTOR(number, entered_descriptor));                      \
	}                                                                                          \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                                 \
	int ct_exit_##name(void *ctx)                                                              \
	{                                                                                          \
		return selector_ends();                                                            \
	}                                                                                          \
	SEC("fentry/__x64_sys_" #name)                                                             \
	int BPF_PROG(ct_fentry_##name, const struct pt_regs *regs)                                 \
	{                                                                                          \
		return selector_begins(SELECTOR(number, called_descriptor));                       \
	}                                                                                          \
	SEC("fexit/__x64_sys_" #name)                                                              \
	int BPF_PROG(ct_fexit_##name)                                                              \
	{                                                                                          \
		return selector_ends();                                                            \
	}

SELECTOR_CALL(epoll_wait, NR_EPOLL_WAIT, ctx->arguments[0], regs->di)
SELECTOR_CALL(epoll_pwait, NR_EPOLL_PWAIT, ctx->arguments[0], regs->di)
SELECTOR_CALL(epoll_pwait2, NR_EPOLL_PWAIT2, ctx->arguments[0], regs->di)
SELECTOR_CALL(poll, NR_POLL, NO_DESCRIPTOR, NO_DESCRIPTOR)
SELECTOR_CALL(ppoll, NR_PPOLL, NO_DESCRIPTOR, NO_DESCRIPTOR)
SELECTOR_CALL(select, NR_SELECT, NO_DESCRIPTOR, NO_DESCRIPTOR)
SELECTOR_CALL(pselect6, NR_PSELECT6, NO_DESCRIPTOR, NO_DESCRIPTOR)
