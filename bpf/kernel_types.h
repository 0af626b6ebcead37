/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The few kernel structures that the programs read, each field with why. Only
 * names and types matter: CO-RE relocates the offsets against the running
 * kernel's BTF. What a kernel may lack is asked for with bpf_core_field_exists.
 */
#ifndef CT_KERNEL_TYPES_H
#define CT_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define bool _Bool
#define true 1
#define false 0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq; /* where records go */
};

struct ns_common {
	unsigned int inum; /* the inode that /proc/PID/ns/pid shows */
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr; /* the id in the namespace below */
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;	/* of its innermost namespace */
	struct upid numbers[1]; /* [level] is the innermost id */
};

struct cfs_rq {
	int throttle_count; /* > 0: its group is out of CPU quota (CONFIG_CFS_BANDWIDTH) */
};

struct sched_entity {
	__u64 sum_exec_runtime;	     /* all CPU time */
	__u64 prev_sum_exec_runtime; /* the same when it was last picked */
	struct cfs_rq *cfs_rq;
};

struct sched_info {
	unsigned long long last_arrival; /* when it last got a CPU */
	unsigned long long run_delay;	 /* how long it has waited for one so far, in ns */
};

typedef struct {
	int counter;
} atomic_t;

struct mm_struct {
	atomic_t mm_users; /* everyone who could touch, and so wake, this memory */
};

struct signal_struct {
	int nr_threads;
};

/* x86-64 */
struct thread_info {
	unsigned int status; /* TS_COMPAT: in a 32-bit system call */
};

struct thread_struct {
	unsigned long fsbase; /* the thread pointer, while not on a CPU */
};

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip;
	unsigned long cs; /* 0x23: 32-bit user code */
	unsigned long flags, sp, ss;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state; /* since 5.14, commit 2f064a59a11f */
	void *stack;	      /* 5.10: where pt_regs are */
	unsigned int flags;   /* PF_KTHREAD, PF_EXITING, PF_FROZEN */
	/* int before 7.2, a byte since: unsigned, because only then does CO-RE load either */
	unsigned int on_cpu;
	unsigned int on_rq;
	bool throttled; /* since 6.18, per-task CPU throttling */
	struct sched_entity se;
	struct sched_info sched_info;
	struct mm_struct *mm;
	int exit_state;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	unsigned long nvcsw;
	unsigned long nivcsw;
	__u64 start_time;
	char comm[16];
	struct signal_struct *signal;
	unsigned long jobctl; /* JOBCTL_TRAP_FREEZE: cgroup v2 freezer */
	struct thread_struct thread;
};

/* Before 5.14 */
struct task_struct___pre_5_14 {
	long state;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* include/uapi/linux/bpf.h: the state of an open-coded iterator, opaque, on the program's stack */
struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));

/* kernel/bpf/task_iter.c, an enum without a name: BPF_TASK_ITER_ALL_THREADS */
#define TASK_ITER_ALL_THREADS 1

/* include/linux/sched.h */
#define PF_EXITING  0x00000004
#define PF_FROZEN   0x00010000 /* before 6.1, commit f5d39b020809 */
#define PF_KTHREAD  0x00200000
#define TASK_FROZEN 0x00008000 /* since 6.1, same commit */
/* include/linux/sched/jobctl.h */
#define JOBCTL_TRAP_FREEZE (1UL << 23)
/* arch/x86/include/asm/segment.h: __USER32_CS, __USER_CS */
#define USER32_CS 0x23
#define USER_CS	  0x33
/* arch/x86/include/asm/page_64_types.h without KASAN */
#define X86_THREAD_SIZE 16384
/* TOP_OF_KERNEL_STACK_PADDING, arch/x86/include/asm/thread_info.h: CONFIG_X86_FRED, since 6.9 */
#define X86_FRED_PADDING 16

#endif /* CT_KERNEL_TYPES_H */
