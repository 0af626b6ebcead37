// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The sweep: one pass over every thread of the host, with no probe attached to
 * anything. It only reads; what it writes goes into the iterator's own file.
 */
#include "task_record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct ct_sweep_request request = {};

/* Set before loading; not bool: see task_record.h. */
const volatile ct_u8 has_task_stack = true; /* helper of 5.9 */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CT_WANTED_THREADS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} wanted SEC(".maps");

static __u32 visited;

/* Too large for the BPF stack (512 bytes with all its callees). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_task_record);
} task_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_kernel_stack_record);
} stack_scratch SEC(".maps");

static __always_inline void write_task(struct seq_file *seq, struct task_struct *task, __u64 since)
{
	__u32 zero = 0;
	struct ct_task_record *record = bpf_map_lookup_elem(&task_scratch, &zero);

	if (!record)
		return;
	fill_task(record, task, since);
	bpf_seq_write(seq, record, sizeof(*record));
}

static __always_inline void write_kernel_stack(struct seq_file *seq, struct task_struct *task)
{
	__u32 zero = 0;
	struct ct_kernel_stack_record *record = bpf_map_lookup_elem(&stack_scratch, &zero);
	long bytes;

	if (!record)
		return;
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = CT_RECORD_KERNEL_STACK;
	record->tid = task->pid;
	bytes = bpf_get_task_stack(task, record->addresses, sizeof(record->addresses), 0);
	if (bytes <= 0)
		return;
	record->depth = bytes / sizeof(record->addresses[0]);
	bpf_seq_write(seq, record, sizeof(*record));
}

static __always_inline void write_end(struct seq_file *seq)
{
	struct ct_sweep_end_record end;

	fill_end(&end, visited);
	visited = 0;
	bpf_seq_write(seq, &end, sizeof(end));
}

static __always_inline void write_still(struct seq_file *seq, struct task_struct *task, __u64 since)
{
	struct ct_still_record still;

	fill_still(&still, task, since);
	bpf_seq_write(seq, &still, sizeof(still));
}

SEC("iter/task")
int ct_sweep(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	__u32 *want = 0, want_flags = 0;
	__u32 tid;
	__u64 since;

	if (!task) {
		write_end(seq);
		return 0;
	}
	if (task->flags & PF_KTHREAD)
		return 0;
	visited++;

	since = off_cpu_since(task);
	if (request.wanted) {
		tid = task->pid;
		want = bpf_map_lookup_elem(&wanted, &tid);
		if (want)
			want_flags = *want;
	}
	if (!(request.flags & CT_SWEEP_FULL) && !(want_flags & CT_WANT_TASK)) {
		if (task->on_cpu || since > request.young_after)
			return 0;
		if (since <= request.known_before) {
			write_still(seq, task, since);
			return 0;
		}
	}
	write_task(seq, task, since);
	if (has_task_stack && (want_flags & CT_WANT_KERNEL_STACK))
		write_kernel_stack(seq, task);
	return 0;
}
