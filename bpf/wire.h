/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The only header shared by the BPF programs and C++, with wire_holds.h, which it includes:
 * records and limits.
 *
 * Fixed-width fields, explicit padding, natural alignment, kind 0 is invalid,
 * append only. Sizes and offsets are asserted on both sides at the end of each
 * file. Every record is zeroed before it is filled.
 */
#ifndef CT_WIRE_H
#define CT_WIRE_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
typedef std::uint8_t ct_u8;
typedef std::uint16_t ct_u16;
typedef std::uint32_t ct_u32;
typedef std::uint64_t ct_u64;
#define CT_ASSERT(condition, text) static_assert(condition, text)
#define CT_OFFSET(type, member)	   offsetof(type, member)
#else
typedef __u8 ct_u8;
typedef __u16 ct_u16;
typedef __u32 ct_u32;
typedef __u64 ct_u64;
#define CT_ASSERT(condition, text) _Static_assert(condition, text)
#define CT_OFFSET(type, member)	   __builtin_offsetof(type, member)
#endif

enum ct_limits {
	CT_COMM_LENGTH = 16,	    /* TASK_COMM_LEN, include/linux/sched.h */
	CT_KERNEL_STACK_DEPTH = 24, /* frames of a kernel stack that are kept */
	CT_WANTED_THREADS = 65536,  /* threads that can be asked for by tid */
	CT_REGISTERS = 17,	    /* x86-64, by DWARF number: rax .. r15, rip */
	CT_SYSCALL_ARGUMENTS = 6,
	/*
	 * 32-bit words around the futex word that are kept as the wait began: all of a
	 * rwlock (56 bytes) or condition (48) of glibc, whichever of its words is waited on.
	 */
	CT_LOCK_WORDS = 24,
	CT_LOCK_WORDS_BEFORE = 12,     /* of those, before the futex word */
	CT_HISTOGRAM_BUCKETS = 32,     /* see ct_lock_statistics */
	CT_HISTOGRAM_FIRST_BIT = 8,    /* the first bucket ends at 2^9 ns */
	CT_MAX_STACK_COPY = 32768,     /* of a waiter's stack */
	CT_SELECTED_PROCESSES = 16384, /* that a filter can name */
	CT_LOOP_THREADS = 8192,	       /* that call a selector, of those processes */
	/*
	 * Of a stack that made a task, with those of asyncio itself: two within it, and six
	 * around, of which asyncio.run() is the last. As many as fit a program's own stack.
	 */
	CT_ORIGIN_FRAMES = 24,
	CT_ORIGIN_STACKS = 4096,  /* different ones */
	CT_ORIGIN_TASKS = 131072, /* by address: as many as live at a time, and some more */
	/* _PyInterpreterFrame up to its locals, see runtimes/cpython/offsets.cc */
	CT_FRAME_BYTES = 80,
};

enum ct_record_kind {
	CT_RECORD_INVALID = 0,
	CT_RECORD_TASK = 1,
	CT_RECORD_STILL = 2,
	CT_RECORD_KERNEL_STACK = 3,
	CT_RECORD_SWEEP_END = 4,
	CT_RECORD_WAIT = 5,
	CT_RECORD_ITERATION = 6,
	CT_RECORD_ORDER = 7,
	CT_RECORD_LONG_HOLD = 8,
	CT_RECORD_LOCK_ENDED = 9,
};

/* What a sweep is asked for; written by the tracer before each sweep. */
enum ct_sweep_flags {
	CT_SWEEP_FULL = 1u << 0, /* a TASK record of every user thread */
};

struct ct_sweep_request {
	/*
	 * On the scheduler's clock. A thread that left its CPU after young_after is
	 * passed over; one that left it at or before known_before was reported in
	 * full by an earlier sweep, and only a STILL record says that it sleeps on.
	 */
	ct_u64 young_after;
	ct_u64 known_before;
	ct_u32 flags;
	ct_u32 wanted; /* how many threads the `wanted` map names; 0: do not look */
};

enum ct_wanted_flags {
	CT_WANT_TASK = 1u << 0,		/* a TASK record in whatever state it is */
	CT_WANT_KERNEL_STACK = 1u << 1, /* and its kernel stack */
};

enum ct_task_flags {
	CT_TASK_ON_CPU = 1u << 0,
	CT_TASK_ON_RQ = 1u << 1,
	CT_TASK_FROZEN = 1u << 2,
	CT_TASK_THROTTLED = 1u << 3,
	CT_TASK_COMPAT = 1u << 4,    /* 32-bit: no registers */
	CT_TASK_REGISTERS = 1u << 5, /* registers, syscall and arguments are set */
	CT_TASK_EXITING = 1u << 6,   /* dead or dying; no memory any more */
};

/* One thread, at one moment. Times are on the scheduler's clock unless said otherwise. */
struct ct_task_record {
	ct_u16 kind; /* CT_RECORD_TASK */
	ct_u16 flags;
	ct_u32 state; /* task->__state */
	ct_u32 tid;   /* host */
	ct_u32 tgid;
	ct_u32 ns_tid; /* in its innermost pid namespace */
	ct_u32 ns_tgid;
	ct_u32 pid_ns; /* inode of that namespace */
	ct_u32 parent_tgid;
	ct_u64 space;	   /* address of its mm: an identity, never shown */
	ct_u64 start_time; /* CLOCK_MONOTONIC */
	ct_u64 leader_start_time;
	ct_u64 voluntary_switches;
	ct_u64 involuntary_switches;
	ct_u64 off_cpu_since; /* last_arrival + the run time of that arrival */
	ct_u64 cpu_time;      /* se.sum_exec_runtime, ns */
	ct_u32 space_users;   /* mm->mm_users */
	ct_u32 group_threads; /* signal->nr_threads */
	ct_u64 syscall;	      /* orig_ax; ~0 = none */
	ct_u64 arguments[CT_SYSCALL_ARGUMENTS];
	ct_u64 registers[CT_REGISTERS];
	ct_u64 thread_pointer;
	char comm[CT_COMM_LENGTH];
	char leader_comm[CT_COMM_LENGTH];
};

/* A thread that an earlier sweep reported in full still sleeps the same sleep. */
struct ct_still_record {
	ct_u16 kind; /* CT_RECORD_STILL */
	ct_u16 pad;
	ct_u32 tid;
	ct_u64 switches; /* voluntary + involuntary */
	ct_u64 off_cpu_since;
};

/* Follows the TASK record of a thread that was wanted with its kernel stack. */
struct ct_kernel_stack_record {
	ct_u16 kind; /* CT_RECORD_KERNEL_STACK */
	ct_u16 depth;
	ct_u32 tid;
	ct_u64 addresses[CT_KERNEL_STACK_DEPTH];
};

/* The last record of a sweep: without it the sweep was cut short. */
struct ct_sweep_end_record {
	ct_u16 kind; /* CT_RECORD_SWEEP_END */
	ct_u16 pad;
	ct_u32 visited; /* user threads looked at; a few may count twice (seq_file retries) */
	ct_u64 ended;	/* CLOCK_MONOTONIC */
	/*
	 * When the tracer's own task last got its CPU, on the scheduler's clock: the
	 * tracer sleeps just before a sweep and so knows that moment on CLOCK_MONOTONIC.
	 */
	ct_u64 tracer_arrival;
};

/* What a walk leaves besides the records in its two arrays. */
struct ct_walk_result {
	struct ct_sweep_end_record end;
	ct_u32 still; /* records in each array */
	ct_u32 tasks;
	ct_u32 overflow; /* 1: an array was full, and the walk ended there */
	ct_u32 pad;
};

enum ct_wait_flags {
	CT_WAIT_SAMPLE =
	    1u << 0, /* shorter than min_wait: one of few, so that its lock can be named */
	CT_WAIT_BEGAN_BEFORE =
	    1u << 1, /* began before the tracer: begin is 0, it is in no statistics */
	CT_WAIT_RESTARTED = 1u << 2,   /* a signal or a stop interrupted it meanwhile */
	CT_WAIT_INTERRUPTED = 1u << 3, /* and that ended it */
	CT_WAIT_EXITED = 1u << 4,      /* its thread ended meanwhile */
	CT_WAIT_TIMED_OUT = 1u << 5,
	CT_WAIT_WORDS = 1u << 6,	/* words are set */
	CT_WAIT_WORD_MATCHED = 1u << 7, /* the futex word was what the waiter expected it to be */
	CT_WAIT_REGISTERS = 1u << 8,	/* registers, syscall and arguments are set */
	CT_WAIT_WOKEN = 1u << 9,	/* waker_* and woken_at are set: it did not end by itself */
	CT_WAIT_BY_WAITER = 1u << 10,	/* and by one whose own last wait was for the same */
};

/*
 * A wait that has ended, written by its own thread at its end, while the stack is
 * what it was. Times are on CLOCK_MONOTONIC.
 */
struct ct_wait_record {
	ct_u16 kind; /* CT_RECORD_WAIT */
	ct_u16 flags;
	ct_u32 tid; /* host */
	ct_u32 tgid;
	ct_u32 ns_tid;
	ct_u32 ns_tgid;
	ct_u32 pid_ns;
	ct_u32 command; /* FUTEX_WAIT ..., see ct_wait_command */
	ct_u32 expected;
	ct_u32 waker_tid;
	ct_u32 waker_tgid;
	ct_u64 space;	/* address of its mm: an identity, never shown */
	ct_u64 address; /* of the futex word; of a futex_waitv: of its first */
	ct_u64 start_time;
	ct_u64 leader_start_time;
	ct_u64 begin;
	ct_u64 woken_at;
	ct_u64 end;
	ct_u64 syscall;
	ct_u64 arguments[CT_SYSCALL_ARGUMENTS];
	ct_u64 registers[CT_REGISTERS]; /* as in ct_task_record */
	ct_u64 thread_pointer;
	ct_u32 words[CT_LOCK_WORDS];
	char comm[CT_COMM_LENGTH];
	char leader_comm[CT_COMM_LENGTH];
	char waker_comm[CT_COMM_LENGTH];
	/*
	 * The pages from the stack pointer's own up follow the record: the copy begins
	 * at this offset into the first.
	 */
	ct_u32 stack_offset;
	ct_u32 stack_bytes;
};

/* Commands of futex(2), and calls that are none of its. */
enum ct_wait_command {
	CT_COMMAND_FUTEX_WAIT = 256,  /* futex_wait(2), since 6.7 */
	CT_COMMAND_FUTEX_WAITV = 257, /* futex_waitv(2), since 5.16 */
};

/* One futex word of one process: what is counted for it. */
struct ct_lock_key {
	ct_u64 space;
	ct_u64 address;
	ct_u32 tgid;
	ct_u32 pad;
};

struct ct_lock_statistics {
	ct_u64 waits; /* those that have ended */
	ct_u64 total; /* ns */
	ct_u64 max;
	ct_u64 timeouts;
	/*
	 * Who was let go by this lock's last holder has it now, as far as waits tell;
	 * whoever lets the next one go held it until then.
	 */
	ct_u64 holds;
	ct_u64 hold_total;
	ct_u64 hold_max;
	ct_u64 acquired_at; /* by holder_tid */
	ct_u32 holder_tid;
	/* Waits that were ended by a thread whose own last wait was for this lock. */
	ct_u32 by_waiters;
	/* Bucket i counts waits of 2^(i+8) to 2^(i+9) ns; the first and the last are open. */
	ct_u32 histogram[CT_HISTOGRAM_BUCKETS];
};

/* Summed up over all CPUs. produced = received by the tracer + lost_ring, always. */
struct ct_wait_counters {
	ct_u64 calls;	    /* futex calls seen, of whatever command */
	ct_u64 waits;	    /* waits that ended and counted */
	ct_u64 refused;	    /* the word had changed already (EAGAIN): no contention */
	ct_u64 restarted;   /* went on after a signal or a stop */
	ct_u64 produced;    /* records that were to travel */
	ct_u64 lost_ring;   /* of those: the ring buffer was full */
	ct_u64 lost_lock;   /* waits in no statistics: too many locks */
	ct_u64 lost_thread; /* calls not followed: too many threads */
	ct_u64 lost_end;    /* waits whose end was not seen */
	ct_u64 lost_stack;  /* records whose stack could not be copied */
	ct_u64 followed;    /* calls that can block, of processes that are looked at */
};

/* What the tracer may change at any time. */
struct ct_waits_control {
	ct_u64 min_wait; /* ns; shorter waits do not travel */
	ct_u8 paused;	 /* sees nothing */
	ct_u8 filtered;	 /* sees only processes in `selected` */
	ct_u8 no_events; /* statistics only */
	ct_u8 pad;
	/* Changes when it goes on after a pause: what was in progress before that is not known any
	 * more. */
	ct_u32 epoch;
};

/*
 * What a thread does between two calls of its selector (epoll_wait and its kin): one
 * iteration, if it runs an event loop. Times are on CLOCK_MONOTONIC.
 */
struct ct_loop_state {
	ct_u64 begin; /* when it came out of its selector; 0: it is inside, or not known */
	/*
	 * What a callback calls lies deeper on the stack than what the loop itself calls: a
	 * selector of a callback's own (subprocess, a socket with a timeout) ends no
	 * iteration. 0: the next call is taken for the loop's.
	 */
	ct_u64 stack_pointer;
	ct_u64 selector;   /* the call's number and its epoll descriptor */
	ct_u64 queued;	   /* at `begin`: ns that the thread had waited for a CPU so far */
	ct_u64 cpu;	   /* the same of those it had used */
	ct_u64 iterations; /* that have ended */
	/* Of those, as long as control.threshold without the time in which the thread could run and
	 * had no CPU; and those as long only because of it. */
	ct_u64 slow;
	ct_u64 slow_total; /* ns */
	ct_u64 starved;
	ct_u64 starved_total; /* ns */
	ct_u64 total;	      /* ns, of all */
	ct_u64 max;
	ct_u32 tgid;
	ct_u32 strangers; /* calls of other selectors since the loop's own */
};

/* An iteration that was slow, at its end. */
struct ct_iteration_record {
	ct_u16 kind; /* CT_RECORD_ITERATION */
	ct_u16 pad;
	ct_u32 tid;
	ct_u32 tgid;
	ct_u32 pad2;
	ct_u64 begin;
	ct_u64 end;
	ct_u64 queued; /* ns meanwhile in which the thread could run and had no CPU */
	ct_u64 cpu;    /* ns meanwhile in which it ran */
};

struct ct_loops_control {
	ct_u64 threshold; /* ns: from which length on an iteration is slow */
};

/* Summed up over all CPUs. */
struct ct_loop_counters {
	ct_u64 lost_ring;   /* slow iterations that found the ring buffer full */
	ct_u64 lost_thread; /* calls not followed: too many threads */
};

/*
 * Of one process: how a program finds the Python frames of the thread that calls it. Whoever
 * runs Python code has the GIL, which says who has it. Offsets are bytes within the structure, at
 * most CT_FRAME_BYTES - 8 for those of a frame.
 */
struct ct_frame_probe {
	ct_u64 last_holder;  /* address of the GIL's field, which points to a PyThreadState */
	ct_u64 code_mask;    /* what of the word at frame_code is an address */
	ct_u32 thread_ident; /* PyThreadState: pthread_self() */
	ct_u32 thread_frame;
	ct_u32 behind_cframe; /* 1: that is a _PyCFrame, which has the frame at cframe_frame */
	ct_u32 cframe_frame;
	ct_u32 frame_code;
	ct_u32 frame_previous;
	ct_u32 frame_instruction;
	ct_u32 frame_owner;
	ct_u32 last_python_owner; /* frames of higher owners are the interpreter's own */
	ct_u32 pad;
};

struct ct_task_probe {
	struct ct_frame_probe frames;
	ct_u32 tgid;
	ct_u32 pad;
};

struct ct_task_key {
	ct_u64 task; /* its address */
	ct_u32 tgid;
	ct_u32 pad;
};

struct ct_task_origin {
	ct_u64 stack;	/* ct_stack_key.hash */
	ct_u64 made_at; /* CLOCK_MONOTONIC */
};

struct ct_stack_key {
	ct_u64 hash;
	ct_u32 tgid;
	ct_u32 pad;
};

/* Innermost first; code 0: a frame of the interpreter's own, which says nothing. */
struct ct_origin_stack {
	ct_u32 depth;
	ct_u32 truncated; /* 1: there are more at the outer end */
	ct_u64 codes[CT_ORIGIN_FRAMES];
	ct_u32 offsets[CT_ORIGIN_FRAMES]; /* of the instruction, from the code object on */
};

/* Summed up over all CPUs. */
struct ct_task_origin_counters {
	ct_u64 made;	    /* tasks */
	ct_u64 lost_thread; /* of those: whoever made it is not whom the GIL names */
	ct_u64 lost_frame;  /* its innermost frame could not be read */
	ct_u64 lost_stack;  /* more different stacks than are kept */
};

CT_ASSERT(sizeof(struct ct_loop_state) == 104, "ct_loop_state");
CT_ASSERT(sizeof(struct ct_iteration_record) == 48, "ct_iteration_record");
CT_ASSERT(sizeof(struct ct_task_probe) == 64, "ct_task_probe");
CT_ASSERT(sizeof(struct ct_origin_stack) == 8 + 12 * CT_ORIGIN_FRAMES, "ct_origin_stack");
CT_ASSERT(sizeof(struct ct_task_origin_counters) == 32, "ct_task_origin_counters");
CT_ASSERT(sizeof(struct ct_wait_record) == 448, "ct_wait_record");
CT_ASSERT(CT_OFFSET(struct ct_wait_record, space) == 40, "ct_wait_record.space");
CT_ASSERT(CT_OFFSET(struct ct_wait_record, registers) == 152, "ct_wait_record.registers");
CT_ASSERT(CT_OFFSET(struct ct_wait_record, stack_bytes) == 444, "ct_wait_record.stack_bytes");
CT_ASSERT(sizeof(struct ct_lock_key) == 24, "ct_lock_key");
CT_ASSERT(sizeof(struct ct_lock_statistics) == 200, "ct_lock_statistics");
CT_ASSERT(CT_OFFSET(struct ct_lock_statistics, histogram) == 72, "ct_lock_statistics.histogram");
CT_ASSERT(sizeof(struct ct_wait_counters) == 88, "ct_wait_counters");
CT_ASSERT(sizeof(struct ct_waits_control) == 16, "ct_waits_control");
CT_ASSERT(CT_OFFSET(struct ct_waits_control, epoch) == 12, "ct_waits_control.epoch");
CT_ASSERT(sizeof(struct ct_sweep_request) == 24, "ct_sweep_request");
CT_ASSERT(sizeof(struct ct_task_record) == 328, "ct_task_record");
CT_ASSERT(CT_OFFSET(struct ct_task_record, space) == 32, "ct_task_record.space");
CT_ASSERT(CT_OFFSET(struct ct_task_record, syscall) == 96, "ct_task_record.syscall");
CT_ASSERT(CT_OFFSET(struct ct_task_record, thread_pointer) == 288, "ct_task_record.thread_pointer");
CT_ASSERT(sizeof(struct ct_still_record) == 24, "ct_still_record");
CT_ASSERT(sizeof(struct ct_kernel_stack_record) == 8 + 8 * CT_KERNEL_STACK_DEPTH,
	  "ct_kernel_stack_record");
CT_ASSERT(sizeof(struct ct_sweep_end_record) == 24, "ct_sweep_end_record");
CT_ASSERT(sizeof(struct ct_walk_result) == 40, "ct_walk_result");
CT_ASSERT(CT_OFFSET(struct ct_walk_result, overflow) == 32, "ct_walk_result.overflow");

#include "wire_holds.h"

#endif /* CT_WIRE_H */
