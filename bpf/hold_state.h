/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is kept of holds: each thread's, what is counted for each lock, which orders were seen. */
#ifndef CT_HOLD_STATE_H
#define CT_HOLD_STATE_H

#include "python_frames.h"
#include "user_registers.h"

/* Set before loading. */
const volatile ct_u8 has_cookie = false; /* 5.15: bpf_get_attach_cookie */
const volatile __u64 long_hold = 1000000000;

/* Changes when probes were taken off: what was acquired by them is to be dropped. */
__u32 epoch = 0;

static const struct ct_thread_holds no_holds;
static const struct ct_hold_statistics no_statistics;
static const struct ct_order_sightings no_sightings;

/* By probe id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CT_HOLD_PROBES);
	__type(key, __u32);
	__type(value, struct ct_hold_probe);
} probes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CT_HOLD_PROBES);
	__type(key, __u32);
	__type(value, struct ct_hold_hits);
} hits SEC(".maps");

/* Where there are no cookies: probe ids by the address that was hit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4 * CT_HOLD_PROBES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ct_address_key);
	__type(value, __u32);
} addresses SEC(".maps");

/* By tid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct ct_thread_holds);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ct_hold_key);
	__type(value, struct ct_hold_statistics);
} locks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ct_order_key);
	__type(value, struct ct_order_sightings);
} orders SEC(".maps");

/* Locks that are part of an order: the end of one is worth telling. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ct_address_key);
	__type(value, __u8);
} ordered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CT_HOLD_UNITS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ct_unit_key);
	__type(value, struct ct_unit_holder);
} units SEC(".maps");

/* Of processes that run Python, by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CT_HOLD_PYTHONS);
	__type(key, __u32);
	__type(value, struct ct_frame_probe);
} pythons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ct_hold_counters);
} counters SEC(".maps");

#define COUNT(what)                                                                                \
	do {                                                                                       \
		__u32 zero_ = 0;                                                                   \
		struct ct_hold_counters *c_ = bpf_map_lookup_elem(&counters, &zero_);              \
		if (c_)                                                                            \
			c_->what++;                                                                \
	} while (0)

static __always_inline __u64 own_space(void)
{
	return (__u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm);
}

static __always_inline __u32 own_ns_tid(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid upid;

	return BPF_CORE_READ_INTO(&upid.nr, pid, numbers[level].nr) ? 0 : upid.nr;
}

static __always_inline struct ct_thread_holds *find_own_holds(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&threads, &tid);
}

static __always_inline struct ct_thread_holds *own_holds(void)
{
	struct ct_thread_holds *own = find_own_holds();
	__u64 ids = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)ids;

	if (own)
		return own;
	bpf_map_update_elem(&threads, &tid, &no_holds, BPF_NOEXIST);
	own = bpf_map_lookup_elem(&threads, &tid);
	if (!own) {
		COUNT(lost_thread);
		return 0;
	}
	own->tgid = ids >> 32;
	own->ns_tid = own_ns_tid();
	own->space = own_space();
	return own;
}

static __always_inline struct ct_hold_statistics *statistics_of(const struct ct_thread_holds *own,
								__u64 address, __u32 family)
{
	struct ct_hold_key key = {
	    .space = own->space, .address = address, .tgid = own->tgid, .family = family};

	return bpf_map_lookup_elem(&locks, &key);
}

static __always_inline struct ct_hold_statistics *make_statistics(const struct ct_thread_holds *own,
								  const struct ct_held *held)
{
	struct ct_hold_key key = {.space = own->space,
				  .address = held->address,
				  .tgid = own->tgid,
				  .family = held->family};
	struct ct_hold_statistics *lock = bpf_map_lookup_elem(&locks, &key);

	if (lock)
		return lock;
	bpf_map_update_elem(&locks, &key, &no_statistics, BPF_NOEXIST);
	lock = bpf_map_lookup_elem(&locks, &key);
	if (!lock) {
		COUNT(lost_lock);
		return 0;
	}
	lock->probe = held->probe;
	return lock;
}

/* The probe that was hit; nothing: of a child after fork() whose breakpoints are not gone yet. */
static __always_inline struct ct_hold_probe *own_probe(struct pt_regs *ctx, __u32 *id, bool entry)
{
	struct ct_hold_probe *probe;
	struct ct_hold_hits *hit;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (has_cookie) {
		*id = bpf_get_attach_cookie(ctx);
	} else {
		struct ct_address_key key = {.address = ctx->ip, .tgid = tgid};
		__u32 *found = bpf_map_lookup_elem(&addresses, &key);

		if (!found)
			return 0;
		*id = *found;
	}
	probe = bpf_map_lookup_elem(&probes, id);
	if (!probe || probe->tgid != tgid || probe->off)
		return 0;
	hit = bpf_map_lookup_elem(&hits, id);
	if (hit) {
		if (entry)
			hit->entries++;
		else
			hit->returns++;
	}
	return probe;
}

/* All are loaded, for the compiler would choose the address: a context's must be constant. */
static __always_inline __u64 argument(const struct pt_regs *ctx, __u8 number)
{
	__u64 di = ctx->di, si = ctx->si, dx = ctx->dx, cx = ctx->cx, r8 = ctx->r8, r9 = ctx->r9;

	barrier_var(di);
	barrier_var(si);
	barrier_var(dx);
	barrier_var(cx);
	barrier_var(r8);
	barrier_var(r9);
	switch (number) {
	case 0:
		return di;
	case 1:
		return si;
	case 2:
		return dx;
	case 3:
		return cx;
	case 4:
		return r8;
	default:
		return r9;
	}
}

/* The compiler must not drop the mask where it knows the index to be small: the verifier cannot. */
static __always_inline struct ct_held *held_at(struct ct_thread_holds *own, __u32 slot)
{
	barrier_var(slot);
	return &own->held[slot & (CT_HELD_OBJECTS - 1)];
}

static __always_inline struct ct_place *place_at(struct ct_thread_holds *own, __u32 slot)
{
	barrier_var(slot);
	return &own->places[slot & (CT_HELD_PLACES - 1)];
}

static __always_inline __u32 user_word(__u64 address)
{
	__u32 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (const void *)address);
	return word;
}

static __always_inline __u64 user_long(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (const void *)address);
	return word;
}

#endif /* CT_HOLD_STATE_H */
