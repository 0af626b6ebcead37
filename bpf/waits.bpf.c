// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Tier 1: every futex call that can block, from its entry to its end. Counts each
 * wait per lock; long ones travel to the tracer with registers and stack. Three
 * ways to be called lead to the same two functions, wait_begins and wait_ends.
 */
#include "kernel_types.h"
#include "user_registers.h"
#include "wire.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading. Not bool: see user_registers.h. */
const volatile ct_u8 has_task_storage = true; /* 5.11 */
const volatile __u32 stack_copy = 16384;      /* bytes of each stack: 8192, 16384 or 32768 */
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
	lock->command = state->command;
	lock->last_end = end;
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
		lock->releaser_tid = state->waker_tid;
		lock->holder_tid = (__u32)bpf_get_current_pid_tgid();
		lock->acquired_at = end;
	}
	return before;
}

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

#define PAGE_SIZE 4096

/* Page by page: one large read past the top of the stack fails whole. */
static __always_inline void copy_stack(struct ct_wait_record *record, void *pages)
{
	__u64 from = record->registers[7]; /* rsp */
	__u32 offset = from & (PAGE_SIZE - 1), size = PAGE_SIZE - offset;
	__u32 i;

	if (bpf_probe_read_user(pages + offset, size, (void *)from)) {
		COUNT(lost_stack);
		return;
	}
	record->stack_offset = offset;
	record->stack_bytes = size;
	from += size;
	for (i = 1; i < CT_MAX_STACK_COPY / PAGE_SIZE && i * PAGE_SIZE < stack_copy; i++) {
		if (bpf_probe_read_user(pages + i * PAGE_SIZE, PAGE_SIZE, (void *)from))
			break;
		record->stack_bytes += PAGE_SIZE;
		from += PAGE_SIZE;
	}
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
		if (record->flags & CT_WAIT_REGISTERS)
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

/* --- who let a waiter go ------------------------------------------------------------------- */

/* The task that is waking `task` lets it go. A timer or a signal wakes, too: the end tells. */
SEC("tp_btf/sched_waking")
int BPF_PROG(ct_waking, struct task_struct *task)
{
	struct wait_state *state;
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
