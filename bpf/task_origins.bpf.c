// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Which Python stack makes each task of asyncio: called where one is initialized (the
 * tp_init of _asyncio.Task), on the thread that makes it, while that has the GIL. Nothing
 * travels: a stack is kept once, and by a task's address which one made it.
 */
#include "python_frames.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* One copy of the program a process: constants to the verifier. */
const volatile struct ct_task_probe probe = {};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CT_ORIGIN_TASKS);
	__type(key, struct ct_task_key);
	__type(value, struct ct_task_origin);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CT_ORIGIN_STACKS);
	__type(key, struct ct_stack_key);
	__type(value, struct ct_origin_stack);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_task_origin_counters);
} counters SEC(".maps");

#define COUNT(what)                                                                                \
	do {                                                                                       \
		__u32 zero_ = 0;                                                                   \
		struct ct_task_origin_counters *c_ = bpf_map_lookup_elem(&counters, &zero_);       \
		if (c_)                                                                            \
			c_->what++;                                                                \
	} while (0)

/* splitmix64's constant; what differs in few bits must differ in many. */
static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0xbf58476d1ce4e5b9ULL;
	return hash ^ hash >> 29;
}

/*
 * All ones for a frame of Python code, else 0: without a branch, of which each would double what
 * the verifier has to look at (5.10 and 6.1 give up).
 */
static __always_inline __u64 python_mask(__u8 owner)
{
	__u64 below = (__u64)owner - probe.frames.last_python_owner - 1;

	barrier_var(below); /* the compiler would make a branch of it again */
	return -(below >> 63);
}

/*
 * The frames from this one outward, at fixed places: before 5.12 a program cannot write to
 * its stack where it chooses. Returns their hash; 0: not even the first could be read.
 */
static __always_inline __u64 walk(__u64 frame, struct ct_origin_stack *stack)
{
	__u64 hash = 0x9e3779b97f4a7c15ULL;

#pragma unroll
	for (int i = 0; i < CT_ORIGIN_FRAMES; i++) {
		__u64 words[CT_FRAME_BYTES / 8];
		const char *image = (const char *)words;
		__u64 mask, code, instruction;

		if (bpf_probe_read_user(words, sizeof(words), (const void *)frame)) {
			stack->truncated = 1;
			break;
		}
		mask = python_mask(*(const __u8 *)(image + probe.frames.frame_owner));
		code = *(const __u64 *)(image + probe.frames.frame_code) & probe.frames.code_mask &
		       mask;
		instruction = *(const __u64 *)(image + probe.frames.frame_instruction) & mask;
		stack->codes[i] = code;
		stack->offsets[i] = instruction - code;
		hash = mix(mix(hash, code), instruction);
		stack->depth = i + 1;
		frame = *(const __u64 *)(image + probe.frames.frame_previous);
		if (!frame)
			break;
		if (i == CT_ORIGIN_FRAMES - 1)
			stack->truncated = 1;
	}
	return stack->depth ? hash : 0;
}

/* The hash of the stack that calls, which is kept; 0: it is not known. */
static __always_inline __u64 keep_stack(void)
{
	struct ct_origin_stack stack = {};
	struct ct_stack_key key = {.tgid = probe.tgid};
	__u64 frame = own_frame(&probe.frames);

	if (!frame) {
		COUNT(lost_thread);
		return 0;
	}
	key.hash = walk(frame, &stack);
	if (!key.hash) {
		COUNT(lost_frame);
		return 0;
	}
	if (bpf_map_lookup_elem(&stacks, &key))
		return key.hash;
	if (bpf_map_update_elem(&stacks, &key, &stack, BPF_ANY)) {
		COUNT(lost_stack);
		return 0;
	}
	return key.hash;
}

/*
 * Most tasks are made where others were: to write there is cheaper than to replace the entry.
 * Whoever reads meanwhile reads the words in their order, and so never a new stack with the
 * time of the one before.
 */
static __always_inline void keep_origin(const struct ct_task_key *key,
					const struct ct_task_origin *origin)
{
	volatile struct ct_task_origin *known = bpf_map_lookup_elem(&tasks, key);

	if (!known) {
		bpf_map_update_elem(&tasks, key, origin, BPF_ANY);
		return;
	}
	known->made_at = origin->made_at;
	known->stack = origin->stack;
}

SEC("uprobe")
int ct_task_made(struct pt_regs *ctx)
{
	struct ct_task_key key = {.task = ctx->di, .tgid = bpf_get_current_pid_tgid() >> 32};
	struct ct_task_origin origin = {};

	/* A child after fork() whose breakpoints the kernel has not removed yet. */
	if (key.tgid != probe.tgid)
		return 0;
	COUNT(made);
	origin.stack = keep_stack();
	origin.made_at = bpf_ktime_get_ns();
	/* Another task was there before, and its stack must not become this one's. */
	if (!origin.stack)
		bpf_map_delete_elem(&tasks, &key);
	else
		keep_origin(&key, &origin);
	return 0;
}
