/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a sweep reads of one thread, whichever program makes it. */
#ifndef CT_TASK_RECORD_H
#define CT_TASK_RECORD_H

#include "kernel_types.h"
#include "user_registers.h"
#include "wire.h"

/* Set before loading: the helper came in 5.15; without it registers are found
 * through task->stack, as 5.10's own task_pt_regs() does. Not bool: the skeleton
 * would name it _Bool, which is no word of C++. */
const volatile ct_u8 has_task_pt_regs = true;

static __always_inline __u32 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (__u32)BPF_CORE_READ((struct task_struct___pre_5_14 *)task, state);
}

static __always_inline bool is_frozen(struct task_struct *task, __u32 state)
{
	if (state & TASK_FROZEN)
		return true;
	if (!bpf_core_field_exists(task->__state) && (task->flags & PF_FROZEN))
		return true;
	return task->jobctl & JOBCTL_TRAP_FREEZE;
}

static __always_inline bool is_throttled(struct task_struct *task)
{
	if (bpf_core_field_exists(task->throttled))
		return BPF_CORE_READ(task, throttled);
	if (bpf_core_field_exists(task->se.cfs_rq) &&
	    bpf_core_field_exists(((struct cfs_rq *)0)->throttle_count))
		return BPF_CORE_READ(task, se.cfs_rq, throttle_count) > 0;
	return false;
}

static __always_inline void fill_registers(struct ct_task_record *record, struct pt_regs *regs)
{
	if (regs->cs == USER32_CS) {
		record->flags |= CT_TASK_COMPAT;
		return;
	}
	record->flags |= CT_TASK_REGISTERS;
	record->syscall = regs->orig_ax;
	copy_arguments(record->arguments, regs);
	copy_registers(record->registers, regs);
}

static __always_inline void read_registers(struct ct_task_record *record, struct task_struct *task)
{
	record->thread_pointer = task->thread.fsbase;
	if (has_task_pt_regs) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

		if (regs)
			fill_registers(record, regs);
	} else {
		struct pt_regs regs = {};

		if (read_stack_top(&regs, task))
			fill_registers(record, &regs);
	}
}

static __always_inline void read_ids(struct ct_task_record *record, struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	struct task_struct *leader = task->group_leader;
	unsigned int level;
	struct upid upid;

	record->tid = task->pid;
	record->tgid = task->tgid;
	record->parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	record->start_time = task->start_time;
	record->leader_start_time = BPF_CORE_READ(leader, start_time);
	level = BPF_CORE_READ(pid, level);
	if (!BPF_CORE_READ_INTO(&upid.nr, pid, numbers[level].nr))
		record->ns_tid = upid.nr;
	record->pid_ns = BPF_CORE_READ(pid, numbers[level].ns, ns.inum);
	pid = BPF_CORE_READ(leader, thread_pid);
	if (pid && !BPF_CORE_READ_INTO(&upid.nr, pid, numbers[level].nr))
		record->ns_tgid = upid.nr;
	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), task->comm);
	BPF_CORE_READ_STR_INTO(&record->leader_comm, leader, comm);
}

/* Returns what the record needs of `off_cpu_since`; see ct_task_record. Who waits for a CPU for the
 * first time has been off it since it began, on a clock that is good enough for that. */
static __always_inline __u64 off_cpu_since(struct task_struct *task)
{
	__u64 arrival = task->sched_info.last_arrival;

	if (!arrival)
		return task->start_time;
	return arrival + (task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime);
}

/* All of a TASK record; `since` is off_cpu_since(task). */
static __always_inline void fill_task(struct ct_task_record *record, struct task_struct *task,
				      __u64 since)
{
	__u32 state = task_state(task);

	__builtin_memset(record, 0, sizeof(*record));
	record->kind = CT_RECORD_TASK;
	record->state = state;
	record->syscall = ~0ULL;
	read_ids(record, task);
	record->voluntary_switches = task->nvcsw;
	record->involuntary_switches = task->nivcsw;
	record->off_cpu_since = since;
	record->cpu_time = task->se.sum_exec_runtime;
	record->space = (__u64)task->mm;
	record->space_users = BPF_CORE_READ(task, mm, mm_users.counter);
	record->group_threads = BPF_CORE_READ(task, signal, nr_threads);
	if (task->on_cpu)
		record->flags |= CT_TASK_ON_CPU;
	if (task->on_rq)
		record->flags |= CT_TASK_ON_RQ;
	/* It may have come and gone since its switches were read: then it was not off its CPU. */
	asm volatile("" ::: "memory");
	if (task->nvcsw != record->voluntary_switches ||
	    task->nivcsw != record->involuntary_switches)
		record->flags |= CT_TASK_ON_CPU;
	if (is_frozen(task, state))
		record->flags |= CT_TASK_FROZEN;
	if (is_throttled(task))
		record->flags |= CT_TASK_THROTTLED;
	if (task->exit_state || (task->flags & PF_EXITING) || !record->space)
		record->flags |= CT_TASK_EXITING;
	else if (!task->on_cpu)
		read_registers(record, task);
}

static __always_inline void fill_still(struct ct_still_record *record, struct task_struct *task,
				       __u64 since)
{
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = CT_RECORD_STILL;
	record->tid = task->pid;
	record->switches = task->nvcsw + task->nivcsw;
	record->off_cpu_since = since;
}

static __always_inline void fill_end(struct ct_sweep_end_record *record, __u32 visited)
{
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = CT_RECORD_SWEEP_END;
	record->visited = visited;
	record->ended = bpf_ktime_get_ns();
	record->tracer_arrival =
	    BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), sched_info.last_arrival);
}

#endif /* CT_TASK_RECORD_H */
