// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The steady sweep where the kernel can do it cheaply: the same answers as
 * sweep.bpf.c gives to a request without CT_SWEEP_FULL, at less than half of the
 * cost. The tracer runs it as it would call a function; records go into arrays
 * that it has mapped. No seq_file, no call and no pid look-up for each thread.
 */
#include "task_record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Since 6.7, commit c68a78ffe2cb */
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
			     unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
/* Since 6.2, commit 9bb00b2895cb */
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct ct_sweep_request request = {};
struct ct_walk_result result = {};

/* How much room there is in both is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_still_record);
} still_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_task_record);
} task_records SEC(".maps");

static __always_inline bool put_still(struct task_struct *task, __u64 since)
{
	__u32 index = result.still;
	struct ct_still_record *record = bpf_map_lookup_elem(&still_records, &index);

	if (!record)
		return false;
	fill_still(record, task, since);
	result.still = index + 1;
	return true;
}

static __always_inline bool put_task(struct task_struct *task, __u64 since)
{
	__u32 index = result.tasks;
	struct ct_task_record *record = bpf_map_lookup_elem(&task_records, &index);

	if (!record)
		return false;
	fill_task(record, task, since);
	result.tasks = index + 1;
	return true;
}

/* False when there is no room for its record. */
static __always_inline bool visit(struct task_struct *task)
{
	__u64 since = off_cpu_since(task);

	if (task->on_cpu || since > request.young_after)
		return true;
	if (since <= request.known_before)
		return put_still(task, since);
	return put_task(task, since);
}

SEC("syscall")
int ct_walk(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task;
	__u32 visited = 0;

	__builtin_memset(&result, 0, sizeof(result));
	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, TASK_ITER_ALL_THREADS);
	while ((task = bpf_iter_task_next(&it))) {
		if (task->flags & PF_KTHREAD)
			continue;
		visited++;
		if (!visit(task)) {
			result.overflow = 1;
			break;
		}
	}
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	fill_end(&result.end, visited);
	return 0;
}
