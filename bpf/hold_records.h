/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What of holds travels to the tracer: new orders, long holds, and the end of locks in an order. */
#ifndef CT_HOLD_RECORDS_H
#define CT_HOLD_RECORDS_H

#include "hold_python.h"
#include "stack_copy.h"

/* With the page that the stack begins in. */
#define DEEP_PAGES    (1 + CT_HOLD_STACK_PAGES)
#define SHALLOW_PAGES 2

/* With room for so many pages of stack behind it: a constant. */
static __always_inline struct ct_hold_record *begin_record(const struct ct_thread_holds *own,
							   __u16 kind, __u32 pages)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct ct_hold_record *record;

	COUNT(produced);
	record = bpf_ringbuf_reserve(&records, sizeof(*record) + pages * PAGE_SIZE, 0);
	if (!record) {
		COUNT(lost_ring);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = kind;
	record->tid = (__u32)bpf_get_current_pid_tgid();
	record->tgid = own->tgid;
	record->ns_tid = own->ns_tid;
	record->space = own->space;
	record->start_time = BPF_CORE_READ(task, start_time);
	record->leader_start_time = BPF_CORE_READ(task, group_leader, start_time);
	record->at = bpf_ktime_get_ns();
	record->now = own->now;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	return record;
}

/* Most threads' stacks end within two pages: then there is room for more records. */
static __always_inline bool has_deep_stack(const struct ct_thread_holds *own)
{
	__u64 beyond = (own->now.sp & ~(__u64)(PAGE_SIZE - 1)) + SHALLOW_PAGES * PAGE_SIZE;
	__u8 byte;

	return !bpf_probe_read_user(&byte, sizeof(byte), (const void *)beyond);
}

static __always_inline void fill_held(struct ct_hold_record *record, struct ct_thread_holds *own,
				      __u32 slot)
{
	record->held = *held_at(own, slot);
	if (record->held.flags & CT_HELD_PLACE)
		record->place = *place_at(own, slot);
}

static __always_inline void send_record(struct ct_hold_record *record, __u32 pages)
{
	__u64 from = record->now.sp;

	record->stack_bytes = copy_stack_pages(record + 1, from, pages, pages * PAGE_SIZE);
	record->stack_offset = from & (PAGE_SIZE - 1);
	bpf_ringbuf_submit(record, 0);
}

/* splitmix64's constant; what differs in few bits must differ in many. */
static __always_inline __u64 mix(__u64 value)
{
	value *= 0xbf58476d1ce4e5b9ULL;
	return value ^ value >> 29;
}

/* True if it was not known yet, and is now. */
static __always_inline bool is_new_sighting(struct ct_order_sightings *known, __u64 hash)
{
	__u32 i;

	for (i = 0; i < CT_ORDER_SIGHTINGS; i++) {
		if (known->hashes[i] == hash)
			return false;
		if (!known->hashes[i]) {
			known->hashes[i] = hash;
			return true;
		}
	}
	return false; /* so many threads that any may do it */
}

static __always_inline void mark_ordered(__u32 tgid, __u64 address)
{
	struct ct_address_key key = {.address = address, .tgid = tgid};
	__u8 yes = 1;

	bpf_map_update_elem(&ordered, &key, &yes, BPF_ANY);
}

static __always_inline bool tell_order(struct ct_thread_holds *own, __u32 slot, __u32 wanted,
				       __u32 pages)
{
	struct ct_hold_record *record = begin_record(own, CT_RECORD_ORDER, pages);
	__u32 i;

	if (!record)
		return false;
	fill_held(record, own, slot);
	record->wanted = held_at(own, wanted)->address;
	record->wanted_probe = held_at(own, wanted)->probe;
	for (i = 0; i < CT_HELD_OBJECTS; i++) {
		const struct ct_held *other = &own->held[i];

		if (i >= own->depth)
			break;
		/* At their own places, with holes: the tracer leaves those out. */
		if (i != slot && i != wanted && !(other->flags & CT_HELD_ASKING))
			record->guard_addresses[i] = other->address;
	}
	send_record(record, pages);
	return true;
}

/*
 * What the thread has in `slot` comes before what it asks for in `wanted`. A function of its own,
 * verified once: called in a loop. `guards` is the sum of mix() over all that it has.
 */
__noinline int note_order(__u32 slot, __u32 wanted, __u64 guards)
{
	struct ct_thread_holds *own = find_own_holds();
	struct ct_order_key key = {};
	struct ct_order_sightings *known;
	__u64 hash;
	__u32 i;

	/* What is counted in units is in no order. */
	if (!own || held_at(own, slot)->flags & (CT_HELD_ASKING | CT_HELD_COUNTED))
		return 0;
	key.tgid = own->tgid;
	key.held = held_at(own, slot)->address;
	key.wanted = held_at(own, wanted)->address;
	if (key.held == key.wanted)
		return 0;
	hash = mix((__u32)bpf_get_current_pid_tgid()) + guards - mix(key.held);
	/* A reader's order says less than a writer's: it must not stand for it. */
	hash += mix(1 + (held_at(own, slot)->flags & CT_HELD_SHARED) +
		    2 * (held_at(own, wanted)->flags & CT_HELD_SHARED));
	hash |= 1; /* never 0 */
	known = bpf_map_lookup_elem(&orders, &key);
	if (!known) {
		bpf_map_update_elem(&orders, &key, &no_sightings, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&orders, &key);
		if (!known) {
			COUNT(lost_edge);
			return 0;
		}
	}
	if (!is_new_sighting(known, hash))
		return 0;
	/* Each time: the end of the locks before them at these addresses has taken the marks. */
	mark_ordered(key.tgid, key.held);
	mark_ordered(key.tgid, key.wanted);
	if (has_deep_stack(own) ? tell_order(own, slot, wanted, DEEP_PAGES)
				: tell_order(own, slot, wanted, SHALLOW_PAGES))
		return 0;
	/* Not told: it counts as new when it comes again. */
	for (i = 0; i < CT_ORDER_SIGHTINGS; i++)
		if (known->hashes[i] == hash)
			known->hashes[i] = 0;
	return 0;
}

static __always_inline void tell_end(struct ct_thread_holds *own, __u32 slot, __u32 pages)
{
	struct ct_hold_record *record = begin_record(own, CT_RECORD_LONG_HOLD, pages);
	const struct ct_frame_probe *python;
	const struct ct_hold_probe *probe;

	if (!record)
		return;
	fill_held(record, own, slot);
	/* What is not CPython's own lock is let go of by code of C. */
	probe = bpf_map_lookup_elem(&probes, &held_at(own, slot)->probe);
	python = bpf_map_lookup_elem(&pythons, &own->tgid);
	if (python && probe && probe->flags & CT_PROBE_PYTHON)
		read_python_place(python, &record->now_python);
	send_record(record, pages);
}

/* What the thread has in `slot`, which it lets go of now. */
__noinline int tell_long_hold(__u32 slot)
{
	struct ct_thread_holds *own = find_own_holds();

	if (!own)
		return 0;
	if (has_deep_stack(own))
		tell_end(own, slot, DEEP_PAGES);
	else
		tell_end(own, slot, SHALLOW_PAGES);
	return 0;
}

#endif /* CT_HOLD_RECORDS_H */
