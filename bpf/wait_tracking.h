/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From the begin of a futex call to its end: wait_begins, wait_ends, and the record
 * of a wait that travels to the tracer.
 */
#ifndef CT_WAIT_TRACKING_H
#define CT_WAIT_TRACKING_H

#include "stack_copy.h"
#include "user_registers.h"
#include "wait_state.h"

static __always_inline void fill_ids(struct ct_wait_record *record, struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	unsigned int level = BPF_CORE_READ(pid, level);
	__u64 ids = bpf_get_current_pid_tgid();
	struct upid upid;

	record->tid = (__u32)ids;
	record->tgid = ids >> 32;
	if (!BPF_CORE_READ_INTO(&upid.nr, pid, numbers[level].nr))
		record->ns_tid = upid.nr;
	record->pid_ns = BPF_CORE_READ(pid, numbers[level].ns, ns.inum);
	pid = BPF_CORE_READ(leader, thread_pid);
	if (pid && !BPF_CORE_READ_INTO(&upid.nr, pid, numbers[level].nr))
		record->ns_tgid = upid.nr;
	record->start_time = BPF_CORE_READ(task, start_time);
	record->leader_start_time = BPF_CORE_READ(leader, start_time);
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	BPF_CORE_READ_STR_INTO(&record->leader_comm, leader, comm);
}

static __always_inline void fill_user_registers(struct ct_wait_record *record,
						struct task_struct *task)
{
	struct pt_regs regs = {};

	record->thread_pointer = BPF_CORE_READ(task, thread.fsbase);
	if (!read_stack_top(&regs, task) || regs.cs != USER_CS)
		return;
	record->flags |= CT_WAIT_REGISTERS;
	record->syscall = regs.orig_ax;
	copy_arguments(record->arguments, &regs);
	copy_registers(record->registers, &regs);
}

static __always_inline void copy_stack(struct ct_wait_record *record, void *pages)
{
	__u64 from = record->registers[7]; /* rsp */

	record->stack_bytes =
	    copy_stack_pages(pages, from, CT_MAX_STACK_COPY / PAGE_SIZE, stack_copy);
	if (record->stack_bytes)
		record->stack_offset = from & (PAGE_SIZE - 1);
	else
		COUNT(lost_stack);
}

static __always_inline void send(const struct wait_state *state, __u64 begin, __u64 end,
				 __u16 flags)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct ct_wait_record *record;

	COUNT(produced);
	record = bpf_ringbuf_reserve(&records, record_bytes, 0);
	if (!record) {
		COUNT(lost_ring);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = CT_RECORD_WAIT;
	record->flags = flags;
	fill_ids(record, task);
	record->command = state->command;
	record->expected = state->expected;
	record->space = state->space;
	record->address = state->address;
	record->begin = begin;
	record->end = end;
	record->woken_at = state->woken_at;
	record->waker_tid = state->waker_tid;
	record->waker_tgid = state->waker_tgid;
	__builtin_memcpy(record->waker_comm, state->waker_comm, sizeof(record->waker_comm));
	__builtin_memcpy(record->words, state->words, sizeof(record->words));
	if (!(flags & CT_WAIT_EXITED)) {
		fill_user_registers(record, task);
		if (stack_copy && (record->flags & CT_WAIT_REGISTERS))
			copy_stack(record, record + 1);
	}
	bpf_ringbuf_submit(record, bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) >= wake_above
				       ? BPF_RB_FORCE_WAKEUP
				       : BPF_RB_NO_WAKEUP);
}

static __always_inline void close_wait(struct wait_state *state, __u64 end)
{
	__u64 before = count_wait(state, end, bpf_get_current_pid_tgid() >> 32);
	bool sample = (before & (before + 1)) == 0;

	state->phase = PHASE_IDLE;
	if (control.no_events)
		return;
	if (end - state->begin >= control.min_wait)
		send(state, state->begin, end, state->flags);
	else if (sample)
		send(state, state->begin, end, state->flags | CT_WAIT_SAMPLE);
}

#define RESTART_WITHIN_NS 1000000000ULL

static __always_inline __u64 own_switches(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), nvcsw);
}

/*
 * The same call again, at once: the kernel restarts it, or its caller does, having
 * found the lock taken. Who has slept elsewhere meanwhile (a stop is one sleep) has
 * had the lock, and waits for it anew.
 */
static __always_inline bool goes_on(const struct wait_state *state, __u64 address, __u32 command)
{
	return state->address == address && state->command == command &&
	       bpf_ktime_get_ns() - state->interrupted_at < RESTART_WITHIN_NS &&
	       own_switches() - state->switches <= 1;
}

static __always_inline void wait_begins(__u64 address, __u32 command, __u32 expected)
{
	struct wait_state *state = own_state(true);

	COUNT(followed);
	if (!state) {
		COUNT(lost_thread);
		return;
	}
	if (state->phase == PHASE_INTERRUPTED) {
		if (goes_on(state, address, command)) {
			state->phase = PHASE_WAITING;
			state->flags |= CT_WAIT_RESTARTED;
			COUNT(restarted);
			return;
		}
		state->flags |= CT_WAIT_INTERRUPTED;
		close_wait(state, state->interrupted_at);
	} else if (state->phase == PHASE_WAITING) {
		COUNT(lost_end);
	}
	state->space = own_space();
	state->address = address;
	state->command = command;
	state->expected = expected;
	state->flags = 0;
	state->waker_tid = 0;
	state->phase = PHASE_WAITING;
	/* Whose it is as the wait begins: at its end it will be another's. */
	if (!bpf_probe_read_user(state->words, sizeof(state->words),
				 (void *)(address - CT_LOCK_WORDS_BEFORE * sizeof(__u32)))) {
		state->flags |= CT_WAIT_WORDS;
		/* A call for a PI lock expects nothing: the kernel looks for itself. */
		if (state->words[CT_LOCK_WORDS_BEFORE] == expected || command == FUTEX_LOCK_PI ||
		    command == FUTEX_LOCK_PI2)
			state->flags |= CT_WAIT_WORD_MATCHED;
	}
	state->begin = bpf_ktime_get_ns();
}

/* The end of a wait that began before the tracer came: the sweep knows since when. */
static __always_inline void unknown_wait_ends(__u64 address, __u32 command, __u32 expected)
{
	struct wait_state *state = own_state(true);

	if (!state) {
		COUNT(lost_thread);
		return;
	}
	state->space = own_space();
	state->address = address;
	state->command = command;
	state->expected = expected;
	if (!control.no_events)
		send(state, 0, bpf_ktime_get_ns(), CT_WAIT_BEGAN_BEFORE);
}

/* Returns false if this thread is not known to wait. */
static __always_inline bool wait_ends(long result, bool was_restarted)
{
	struct wait_state *state = own_state(false);

	if (!state)
		return false;
	if (was_restarted && state->phase == PHASE_INTERRUPTED) {
		state->phase = PHASE_WAITING;
		state->flags |= CT_WAIT_RESTARTED;
		COUNT(restarted);
	}
	if (state->phase != PHASE_WAITING)
		return true;
	switch (result) {
	case -EINTR:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		state->phase = PHASE_INTERRUPTED;
		state->interrupted_at = bpf_ktime_get_ns();
		state->switches = own_switches();
		return true;
	case -ETIMEDOUT:
		state->flags |= CT_WAIT_TIMED_OUT;
		break;
	default:
		if (result >= 0) {
			if (state->waker_tid)
				state->flags |= CT_WAIT_WOKEN;
			break;
		}
		/* EAGAIN, or a call that was wrong: it never slept, unless a signal says otherwise.
		 */
		if (state->flags & CT_WAIT_RESTARTED) {
			state->flags |= CT_WAIT_INTERRUPTED;
			break;
		}
		state->phase = PHASE_IDLE;
		COUNT(refused);
		return true;
	}
	close_wait(state, bpf_ktime_get_ns());
	return true;
}

static __always_inline bool can_block(__u32 command)
{
	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
	       command == FUTEX_LOCK_PI2 || command == FUTEX_WAIT_REQUEUE_PI;
}

static __always_inline void futex_begins(__u64 address, __u32 op, __u32 expected)
{
	COUNT(calls);
	if (can_block(op & FUTEX_COMMAND_MASK) && is_seen())
		wait_begins(address, op & FUTEX_COMMAND_MASK, expected);
}

static __always_inline void futex_ends(__u64 address, __u32 op, __u32 expected, long result)
{
	if (!can_block(op & FUTEX_COMMAND_MASK) || !is_seen())
		return;
	if (!wait_ends(result, false) && result >= 0)
		unknown_wait_ends(address, op & FUTEX_COMMAND_MASK, expected);
}

/* struct futex_waitv, include/uapi/linux/futex.h */
struct futex_waiter {
	__u64 expected;
	__u64 address;
	__u32 flags;
	__u32 reserved;
};

static __always_inline void futex_waitv_begins(__u64 waiters)
{
	struct futex_waiter first;

	COUNT(calls);
	if (is_seen() && !bpf_probe_read_user(&first, sizeof(first), (void *)waiters))
		wait_begins(first.address, CT_COMMAND_FUTEX_WAITV, first.expected);
}

#endif /* CT_WAIT_TRACKING_H */
