/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a thread asks for, has, and lets go of, as one thing after another happens on it. */
#ifndef CT_HOLD_TRACKING_H
#define CT_HOLD_TRACKING_H

#include "hold_records.h"

static __always_inline void note_caller(struct ct_thread_holds *own, const struct pt_regs *ctx)
{
	own->now.bx = ctx->bx;
	own->now.bp = ctx->bp;
	own->now.sp = ctx->sp;
	own->now.r12 = ctx->r12;
	own->now.r13 = ctx->r13;
	own->now.r14 = ctx->r14;
	own->now.r15 = ctx->r15;
	own->now.ip = ctx->ip;
}

/* Drops what is in `slot`: the last one takes its place. */
static __always_inline void remove_held(struct ct_thread_holds *own, __u32 slot)
{
	__u32 last = own->depth - 1;

	if (last >= CT_HELD_OBJECTS)
		return;
	if (slot != last) {
		struct ct_held *to = held_at(own, slot);

		*to = *held_at(own, last);
		if (slot >= CT_HELD_PLACES || last >= CT_HELD_PLACES)
			to->flags &= ~CT_HELD_PLACE;
		else if (to->flags & CT_HELD_PLACE)
			*place_at(own, slot) = *place_at(own, last);
	}
	own->depth = last;
}

static __always_inline void count_taken(const struct ct_thread_holds *own,
					const struct ct_held *held)
{
	struct ct_hold_statistics *lock = make_statistics(own, held);
	__u64 in_use;

	if (!lock)
		return;
	/* Not what the addition returns: instructions for that came with 5.12. */
	__sync_fetch_and_add(&lock->in_use, 1);
	in_use = *(volatile __u64 *)&lock->in_use;
	if ((__s64)in_use > (__s64)lock->high_water)
		lock->high_water = in_use;
}

/*
 * When the hold began, if nobody saw it: when it was asked for, if it was free then; else with the
 * last release that was seen, which is the one that let it in; else nobody knows, and now at the
 * latest.
 */
static __always_inline __u64 began(const struct ct_thread_holds *own, struct ct_held *held)
{
	const struct ct_hold_statistics *lock;

	if (!(held->flags & (CT_HELD_CONTENDED | CT_HELD_UNSURE | CT_HELD_AGAIN)))
		return held->asked;
	lock = held->flags & CT_HELD_AGAIN ? 0 : statistics_of(own, held->address, held->family);
	if (lock && lock->last_release > held->asked)
		return lock->last_release;
	if (held->flags & CT_HELD_UNSURE && !(held->flags & CT_HELD_AGAIN))
		return held->asked;
	held->flags |= CT_HELD_BOUND;
	return bpf_ktime_get_ns();
}

static __always_inline void take(struct ct_thread_holds *own, struct ct_held *held,
				 const struct ct_hold_probe *probe, __u64 known_since)
{
	held->flags &= ~CT_HELD_ASKING;
	held->since = known_since ? known_since : began(own, held);
	if (probe->flags & CT_PROBE_COUNTED)
		count_taken(own, held);
}

/*
 * The call of its acquire has not come back: deeper on the stack, and its return address is still
 * where it was. (A later call from the same frame has overwritten it.)
 */
static __always_inline bool is_inside(const struct ct_held *held, __u64 return_slot)
{
	return return_slot < held->return_slot &&
	       user_long(held->return_slot) == held->return_address;
}

/*
 * What the thread asked for before and has, or has not, by now. 1 if that is not known yet. A
 * function of its own, verified once: called in loops, which have no other branch than their end.
 * (Before 6.6 or so the verifier takes all ways through all rounds of a loop apart where it calls
 * another function: a million instructions were not enough.)
 */
__noinline int settle(__u32 slot, __u64 return_slot)
{
	struct ct_thread_holds *own = find_own_holds();
	struct ct_hold_probe *probe;
	struct ct_held *held;

	if (!own || slot >= own->depth)
		return 0;
	held = held_at(own, slot);
	probe = bpf_map_lookup_elem(&probes, &held->probe);
	if (!probe || probe->off) {
		remove_held(own, slot);
		return 0;
	}
	if (!(held->flags & CT_HELD_ASKING))
		return 0;
	if (probe->flags & CT_PROBE_BY_OWNER) {
		/* Whom the lock names has it, whether or not the call has come back. */
		if (user_word(held->address + probe->owner_at) == own->ns_tid)
			take(own, held, probe, 0);
		else if (!is_inside(held, return_slot))
			remove_held(own, slot);
		else
			return 1;
		return 0;
	}
	if (is_inside(held, return_slot))
		return 1;
	if (probe->flags & CT_PROBE_BY_RETURN)
		/* It has left without a return: by an exception, a cancellation, a longjmp. */
		remove_held(own, slot);
	else
		take(own, held, probe, 0);
	return 0;
}

/*
 * All of them, from the last: what is removed is replaced by one that has been looked at. What was
 * acquired by probes that were taken off, which would stay for ever, goes with it.
 */
__noinline int settle_several(__u64 return_slot)
{
	struct ct_thread_holds *own = find_own_holds();
	__u32 i, depth, asking = 0;

	if (!own)
		return 0;
	own->epoch = epoch;
	depth = own->depth;
	for (i = 0; i < CT_HELD_OBJECTS; i++) {
		if (i >= depth)
			break;
		asking += settle(depth - 1 - i, return_slot);
	}
	own->asking = asking;
	return 0;
}

static __always_inline void settle_all(struct ct_thread_holds *own, __u64 return_slot)
{
	__u32 last;

	if (own->epoch == epoch && !own->asking)
		return;
	/* Nearly always: it asked for one, and here is the next thing that happens. */
	last = own->depth - 1;
	if (own->epoch == epoch && own->asking == 1 && last < CT_HELD_OBJECTS &&
	    held_at(own, last)->flags & CT_HELD_ASKING) {
		own->asking = settle(last, return_slot);
		return;
	}
	settle_several(return_slot);
}

#define NOT_FOUND 0xffffffffU

/* The one that it acquired last; `unit`: that one, if it is not 0. */
static __always_inline __u32 find_held(struct ct_thread_holds *own, __u64 address, __u32 family,
				       __u64 unit)
{
	__u32 i;

	for (i = 0; i < CT_HELD_OBJECTS; i++) {
		__u32 slot = own->depth - 1 - i;
		const struct ct_held *held;

		if (i >= own->depth || slot >= CT_HELD_OBJECTS)
			break;
		held = held_at(own, slot);
		if (held->address == address && held->family == family &&
		    (!unit || held->unit == unit))
			return slot;
	}
	return NOT_FOUND;
}

/* glibc, sysdeps/nptl/bits/thread-shared-types.h: __kind; nptl/pthreadP.h: PTHREAD_MUTEX_*_NP */
#define GLIBC_MUTEX_KIND  16
#define GLIBC_RECURSIVE	  1
#define GLIBC_ERROR_CHECK 2

/* True if the thread has it already, and all is said with that. */
static __always_inline bool has_already(struct ct_thread_holds *own,
					const struct ct_hold_probe *probe, __u64 address)
{
	__u32 slot = find_held(own, address, probe->family, 0);
	struct ct_held *held;

	if (slot == NOT_FOUND || probe->flags & CT_PROBE_COUNTED)
		return false;
	held = held_at(own, slot);
	if (held->flags & CT_HELD_ASKING)
		return false;
	if (probe->flags & CT_PROBE_BY_OWNER &&
	    user_word(address + probe->owner_at) != own->ns_tid) {
		remove_held(own, slot); /* somebody else has let go of it */
		return false;
	}
	if (probe->flags & CT_PROBE_GLIBC_MUTEX) {
		__u32 kind = user_word(address + GLIBC_MUTEX_KIND) & 3;

		if (kind == GLIBC_RECURSIVE)
			held->count++;
		return kind == GLIBC_RECURSIVE || kind == GLIBC_ERROR_CHECK;
	}
	if (probe->flags & CT_PROBE_SHARED) {
		held->count++;
		return true;
	}
	return false;
}

/*
 * Who posts a semaphore are others than those who wait for it: a signal; or it was of another
 * semaphore, which was here before. What was acquired stays with nobody, and must not fill what a
 * thread may have.
 */
static __always_inline void drop_signal(struct ct_thread_holds *own,
					const struct ct_hold_probe *probe, __u64 address)
{
	const struct ct_hold_statistics *lock;
	__u32 slot;

	if (!(probe->flags & CT_PROBE_COUNTED) || probe->flags & CT_PROBE_UNITS)
		return;
	slot = find_held(own, address, probe->family, 0);
	if (slot == NOT_FOUND || held_at(own, slot)->flags & CT_HELD_ASKING)
		return;
	lock = statistics_of(own, address, probe->family);
	if (lock && (lock->foreign * 10 > lock->holds + lock->foreign ||
		     held_at(own, slot)->asked < lock->made))
		remove_held(own, slot);
}

static __always_inline __u64 guards_of(const struct ct_thread_holds *own)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < CT_HELD_OBJECTS && i < own->depth; i++)
		if (!(own->held[i].flags & CT_HELD_ASKING))
			sum += mix(own->held[i].address);
	return sum;
}

/* All that the thread has comes before what it asks for in `wanted`. */
__noinline int note_orders(__u32 wanted)
{
	struct ct_thread_holds *own = find_own_holds();
	__u64 guards;
	__u32 i;

	if (!own)
		return 0;
	guards = guards_of(own);
	for (i = 0; i < CT_HELD_OBJECTS; i++) {
		if (i >= wanted)
			break;
		note_order(i, wanted, guards);
	}
	return 0;
}

/* False: it has too many to be followed. */
static __always_inline bool ask(struct ct_thread_holds *own, struct pt_regs *ctx,
				const struct ct_hold_probe *probe, __u32 id, __u64 address,
				__u32 flags)
{
	__u32 slot = own->depth;
	struct ct_held *held;

	if (slot >= CT_HELD_OBJECTS) {
		COUNT(lost_held);
		return false;
	}
	held = held_at(own, slot);
	held->address = address;
	held->asked = bpf_ktime_get_ns();
	held->since = 0;
	held->unit = 0;
	held->return_slot = ctx->sp + probe->pushed;
	held->return_address = user_long(held->return_slot);
	held->probe = id;
	held->family = probe->family;
	held->count = 1;
	held->flags = flags | CT_HELD_ASKING;
	if (probe->flags & CT_PROBE_SHARED)
		held->flags |= CT_HELD_SHARED;
	if (probe->flags & CT_PROBE_COUNTED)
		held->flags |= CT_HELD_COUNTED;
	if (!(probe->flags & CT_PROBE_STATE))
		held->flags |= CT_HELD_UNSURE;
	else if (user_word(address + probe->state_at))
		held->flags |= CT_HELD_CONTENDED;
	if (slot < CT_HELD_PLACES) {
		struct ct_place *place = place_at(own, slot);

		place->caller = own->now;
		if (!bpf_probe_read_user(place->stack, sizeof(place->stack), (void *)ctx->sp))
			held->flags |= CT_HELD_PLACE;
		if (probe->flags & CT_PROBE_PYTHON)
			note_python(slot);
		else
			place->python = (struct ct_python_place){};
	}
	own->depth = slot + 1;
	own->asking++;
	return true;
}

static __always_inline bool has_succeeded(const struct ct_hold_probe *probe, __u64 value)
{
	switch (probe->succeeds) {
	case CT_RETURN_ZERO:
		return !(__u32)value;
	case CT_RETURN_NONZERO:
		return value;
	case CT_RETURN_ONE:
		return (__u32)value == 1;
	case CT_RETURN_TRUE:
		return (__u8)value;
	default:
		return true;
	}
}

static __always_inline void note_unit(const struct ct_thread_holds *own, struct ct_held *held,
				      __u64 unit)
{
	struct ct_unit_key key = {.pool = held->address, .unit = unit, .tgid = own->tgid};
	struct ct_unit_holder holder = {.since = held->since,
					.tid = (__u32)bpf_get_current_pid_tgid()};

	held->unit = unit;
	if (bpf_map_update_elem(&units, &key, &holder, BPF_ANY))
		COUNT(lost_unit);
}

/* The thread has it no more; what of it is left is only numbers. */
static __always_inline void let_go(struct ct_thread_holds *own, const struct ct_hold_probe *probe,
				   __u32 slot)
{
	struct ct_held *held = held_at(own, slot);
	struct ct_hold_statistics *lock = make_statistics(own, held);
	__u64 now = bpf_ktime_get_ns();
	__u64 duration = now > held->since ? now - held->since : 0;

	if (lock) {
		__sync_fetch_and_add(&lock->holds, 1);
		__sync_fetch_and_add(&lock->uses, 1);
		__sync_fetch_and_add(&lock->total, duration);
		if (duration > lock->max)
			lock->max = duration;
		lock->last_release = now;
		if (probe->flags & CT_PROBE_COUNTED)
			__sync_fetch_and_add(&lock->in_use, -1);
	}
	if (duration >= long_hold)
		tell_long_hold(slot);
	remove_held(own, slot);
}

/* By who was not seen to acquire it: it was acquired before, or by another thread. */
static __always_inline void release_of_another(const struct ct_thread_holds *own, __u64 address,
					       __u32 family)
{
	struct ct_hold_statistics *lock = statistics_of(own, address, family);

	if (!lock) {
		COUNT(unknown_releases);
		return;
	}
	__sync_fetch_and_add(&lock->foreign, 1);
	lock->last_release = bpf_ktime_get_ns();
}

/* A unit goes back to its pool, whoever had it. True if that was somebody else. */
static __always_inline bool return_unit(const struct ct_thread_holds *own, __u64 pool, __u32 family,
					__u64 unit)
{
	struct ct_unit_key key = {.pool = pool, .unit = unit, .tgid = own->tgid};
	struct ct_unit_holder *holder = bpf_map_lookup_elem(&units, &key);
	bool by_another;

	if (!holder)
		return false;
	by_another = holder->tid != (__u32)bpf_get_current_pid_tgid();
	bpf_map_delete_elem(&units, &key);
	if (by_another) {
		struct ct_hold_statistics *lock = statistics_of(own, pool, family);

		if (lock) {
			__sync_fetch_and_add(&lock->in_use, -1);
			lock->last_release = bpf_ktime_get_ns();
		}
	}
	return by_another;
}

#endif /* CT_HOLD_TRACKING_H */
