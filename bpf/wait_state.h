/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is kept of waits: each thread's wait in progress, and what is counted for each lock. */
#ifndef CT_WAIT_STATE_H
#define CT_WAIT_STATE_H

#include "kernel_types.h"
#include "wire.h"

/* Set before loading. Not bool: see user_registers.h. */
const volatile ct_u8 has_task_storage = true; /* 5.11 */
const volatile __u32 stack_copy = 16384;      /* bytes of each stack: 0, 8192, 16384 or 32768 */
const volatile __u64 record_bytes = sizeof(struct ct_wait_record) + 16384;
const volatile __u32 wake_above = 0; /* bytes in the ring that wake the tracer */

struct ct_waits_control control = {};
static const struct ct_lock_statistics no_statistics;

/* Commands of futex(2), include/uapi/linux/futex.h */
#define FUTEX_WAIT	      0
#define FUTEX_LOCK_PI	      6
#define FUTEX_WAIT_BITSET     9
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_LOCK_PI2	      13 /* since 5.14 */
#define FUTEX_PRIVATE_FLAG    128
#define FUTEX_CLOCK_REALTIME  256
#define FUTEX_COMMAND_MASK    (~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME))

/* include/uapi/asm-generic/errno.h; the kernel's own include/linux/errno.h */
#define EINTR		      4
#define EAGAIN		      11
#define ETIMEDOUT	      110
#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516

enum phase {
	PHASE_IDLE = 0,
	PHASE_WAITING = 1,
	PHASE_INTERRUPTED = 2, /* by a signal or a stop; it may go on */
};

/* A thread's wait in progress. */
struct wait_state {
	__u64 space;
	__u64 address;
	__u64 begin;
	__u64 interrupted_at;
	__u64 switches; /* voluntary ones, when it was interrupted */
	__u64 woken_at;
	__u32 waker_tid;
	__u32 waker_tgid;
	__u32 command;
	__u32 expected;
	__u32 epoch;
	__u16 flags; /* ct_wait_flags */
	__u16 phase;
	__u32 words[CT_LOCK_WORDS];
	char waker_comm[CT_COMM_LENGTH];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wait_state);
} waiting_tasks SEC(".maps");

/* The same by tid, where there is no task storage; its size is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wait_state);
} waiting_tids SEC(".maps");

/* Sizes of the next two are set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct ct_lock_key);
	__type(value, struct ct_lock_statistics);
} locks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CT_SELECTED_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
} selected SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_wait_counters);
} counters SEC(".maps");

static const struct wait_state no_state;

static __always_inline struct ct_wait_counters *count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

#define COUNT(what)                                                                                \
	do {                                                                                       \
		struct ct_wait_counters *c_ = count();                                             \
		if (c_)                                                                            \
			c_->what++;                                                                \
	} while (0)

static __always_inline struct wait_state *find_own_state(bool create)
{
	__u32 tid;
	struct wait_state *state;

	if (has_task_storage)
		return bpf_task_storage_get(&waiting_tasks, bpf_get_current_task_btf(), 0,
					    create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	tid = (__u32)bpf_get_current_pid_tgid();
	state = bpf_map_lookup_elem(&waiting_tids, &tid);
	if (state || !create)
		return state;
	bpf_map_update_elem(&waiting_tids, &tid, &no_state, BPF_NOEXIST);
	return bpf_map_lookup_elem(&waiting_tids, &tid);
}

/* What was in progress before a pause is as good as new: its end may have gone unseen. */
static __always_inline struct wait_state *own_state(bool create)
{
	struct wait_state *state = find_own_state(create);

	if (state && state->epoch != control.epoch) {
		state->epoch = control.epoch;
		state->phase = PHASE_IDLE;
	}
	return state;
}

static __always_inline __u64 own_space(void)
{
	if (has_task_storage)
		return (__u64)bpf_get_current_task_btf()->mm;
	return (__u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm);
}

static __always_inline bool is_seen(void)
{
	__u32 tgid;

	if (control.paused)
		return false;
	if (!control.filtered)
		return true;
	tgid = bpf_get_current_pid_tgid() >> 32;
	return bpf_map_lookup_elem(&selected, &tgid);
}

/* floor(log2(ns)) - CT_HISTOGRAM_FIRST_BIT, within the histogram. */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u64 value = ns >> CT_HISTOGRAM_FIRST_BIT;
	__u32 bucket = 0;

	if (value >> 32)
		return CT_HISTOGRAM_BUCKETS - 1;
	if (value >> 16) {
		bucket += 16;
		value >>= 16;
	}
	if (value >> 8) {
		bucket += 8;
		value >>= 8;
	}
	if (value >> 4) {
		bucket += 4;
		value >>= 4;
	}
	if (value >> 2) {
		bucket += 2;
		value >>= 2;
	}
	bucket += value >> 1;
	return bucket & (CT_HISTOGRAM_BUCKETS - 1);
}

/* Returns how many waits of this lock there were before; a sample is taken of the 1st, 2nd, 4th...
 */
static __always_inline __u64 count_wait(const struct wait_state *state, __u64 end, __u32 tgid)
{
	struct ct_lock_key key = {.space = state->space, .address = state->address, .tgid = tgid};
	struct ct_lock_statistics *lock = bpf_map_lookup_elem(&locks, &key);
	__u64 duration = end > state->begin ? end - state->begin : 0;
	__u64 before;

	COUNT(waits);
	if (!lock) {
		bpf_map_update_elem(&locks, &key, &no_statistics, BPF_NOEXIST);
		lock = bpf_map_lookup_elem(&locks, &key);
		if (!lock) {
			COUNT(lost_lock);
			return 0;
		}
	}
	before = lock->waits;
	__sync_fetch_and_add(&lock->waits, 1);
	__sync_fetch_and_add(&lock->total, duration);
	__sync_fetch_and_add(&lock->histogram[bucket_of(duration)], 1);
	if (duration > lock->max)
		lock->max = duration;
	if (state->flags & CT_WAIT_TIMED_OUT)
		__sync_fetch_and_add(&lock->timeouts, 1);
	if (state->flags & CT_WAIT_WOKEN) {
		if (lock->holder_tid == state->waker_tid && state->woken_at > lock->acquired_at) {
			__u64 held = state->woken_at - lock->acquired_at;

			__sync_fetch_and_add(&lock->holds, 1);
			__sync_fetch_and_add(&lock->hold_total, held);
			if (held > lock->hold_max)
				lock->hold_max = held;
		}
		if (state->flags & CT_WAIT_BY_WAITER)
			__sync_fetch_and_add(&lock->by_waiters, 1);
		lock->holder_tid = (__u32)bpf_get_current_pid_tgid();
		lock->acquired_at = end;
	}
	return before;
}

#endif /* CT_WAIT_STATE_H */
