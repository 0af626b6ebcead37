// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Acquires and releases as they happen, at probes that the tracer has placed. What each thread has
 * is kept here; nothing travels for an ordinary acquire or release.
 *
 * No return probes (they can kill the target). That an acquire has succeeded is seen by what
 * happens next on its thread: the lock's own memory names the thread, or it has come back; where
 * neither says it, probes on the function's return instructions do.
 */
#include "hold_tracking.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A call that begins: what happened on its thread before is settled first. */
struct call {
	struct ct_thread_holds *own;
	struct ct_hold_probe *probe;
	__u64 address; /* of what it is about */
	__u32 id;
};

/* Also of a thread that was not seen before: so that what it gives back is known. */
static __always_inline bool enter(struct pt_regs *ctx, struct call *call)
{
	call->probe = own_probe(ctx, &call->id, true);
	if (!call->probe)
		return false;
	call->own = own_holds();
	if (!call->own)
		return false;
	call->address = argument(ctx, call->probe->key_argument);
	note_caller(call->own, ctx);
	settle_all(call->own, ctx->sp + call->probe->pushed);
	return true;
}

static __always_inline int acquire(struct pt_regs *ctx)
{
	struct call call;
	bool tried;

	if (!enter(ctx, &call) || has_already(call.own, call.probe, call.address))
		return 0;
	drop_signal(call.own, call.probe, call.address);
	tried = call.probe->role == CT_ROLE_TRY_ACQUIRE;
	if (!ask(call.own, ctx, call.probe, call.id, call.address, tried ? CT_HELD_TRIED : 0))
		return 0;
	if (!tried && call.own->depth > 1 && !(call.probe->flags & CT_PROBE_COUNTED))
		note_orders(call.own->depth - 1);
	return 0;
}

SEC("uprobe")
int ct_acquire(struct pt_regs *ctx)
{
	return acquire(ctx);
}

/* A return instruction of an acquire, or of a condition's wait. */
SEC("uprobe")
int ct_returned(struct pt_regs *ctx)
{
	__u32 id, i;
	struct ct_hold_probe *probe = own_probe(ctx, &id, false);
	struct ct_thread_holds *own;

	if (!probe)
		return 0;
	own = find_own_holds();
	if (!own)
		return 0;
	for (i = 0; i < CT_HELD_OBJECTS; i++) {
		__u32 slot = own->depth - 1 - i;
		struct ct_held *held;

		if (i >= own->depth || slot >= CT_HELD_OBJECTS)
			break;
		held = held_at(own, slot);
		if (held->probe != id || held->return_slot != ctx->sp)
			continue;
		if (!has_succeeded(probe, ctx->ax)) {
			remove_held(own, slot);
			break;
		}
		if (!(held->flags & CT_HELD_ASKING))
			break;
		take(own, held, probe, bpf_ktime_get_ns());
		if (probe->flags & CT_PROBE_UNITS)
			note_unit(own, held, ctx->ax);
		break;
	}
	return 0;
}

static __always_inline int release(struct pt_regs *ctx)
{
	struct ct_held *held;
	struct call call;
	__u64 unit = 0;
	__u32 slot;

	if (!enter(ctx, &call))
		return 0;
	if (call.probe->flags & CT_PROBE_UNITS) {
		unit = argument(ctx, call.probe->unit_argument);
		if (return_unit(call.own, call.address, call.probe->family, unit))
			return 0;
	}
	slot = find_held(call.own, call.address, call.probe->family, unit);
	/* A release that is not told which unit: the one that was acquired last. */
	if (slot == NOT_FOUND && unit)
		slot = find_held(call.own, call.address, call.probe->family, 0);
	if (slot == NOT_FOUND) {
		release_of_another(call.own, call.address, call.probe->family);
		return 0;
	}
	held = held_at(call.own, slot);
	if (held->flags & CT_HELD_ASKING)
		return 0; /* by a callee of the acquire */
	if (held->count > 1) {
		held->count--;
		return 0;
	}
	let_go(call.own, call.probe, slot);
	return 0;
}

SEC("uprobe")
int ct_release(struct pt_regs *ctx)
{
	return release(ctx);
}

/* Lets go of the mutex, waits, and asks for it again: no order, for it had it before. */
SEC("uprobe")
int ct_condition_wait(struct pt_regs *ctx)
{
	struct call call;
	__u32 slot;

	if (!enter(ctx, &call))
		return 0;
	slot = find_held(call.own, call.address, call.probe->family, 0);
	if (slot != NOT_FOUND) {
		/* An older version of the function, which ends in this one. */
		if (held_at(call.own, slot)->flags & CT_HELD_ASKING)
			return 0;
		let_go(call.own, call.probe, slot);
	}
	ask(call.own, ctx, call.probe, call.id, call.address, CT_HELD_AGAIN | CT_HELD_CONTENDED);
	return 0;
}

/* Made, or destroyed: what was at this address so far is no more. */
SEC("uprobe")
int ct_lock_ended(struct pt_regs *ctx)
{
	__u32 id;
	struct ct_hold_probe *probe = own_probe(ctx, &id, true);
	struct ct_hold_statistics *lock;
	struct ct_address_key key = {};
	struct ct_hold_record *record;
	struct ct_thread_holds *own;

	if (!probe)
		return 0;
	key.tgid = probe->tgid;
	key.address = argument(ctx, probe->key_argument);
	if (probe->flags & CT_PROBE_COUNTED) {
		/* In no order; but what a semaphore is used for begins anew. */
		own = own_holds();
		lock = own ? statistics_of(own, key.address, probe->family) : 0;
		if (lock) {
			lock->made = bpf_ktime_get_ns();
			lock->uses = 0;
		}
		return 0;
	}
	if (!bpf_map_lookup_elem(&ordered, &key))
		return 0;
	own = own_holds();
	if (!own)
		return 0;
	note_caller(own, ctx);
	record = begin_record(own, CT_RECORD_LOCK_ENDED, 0);
	if (!record)
		return 0; /* still marked: told when it ends the next time */
	bpf_map_delete_elem(&ordered, &key);
	record->wanted = key.address;
	record->wanted_probe = id;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

/* The thread ends with what it has in `slot`. Of its own for the same reason as settle(). */
__noinline int count_exit(__u32 slot)
{
	struct ct_thread_holds *own = find_own_holds();
	struct ct_hold_statistics *lock;

	if (!own || held_at(own, slot)->flags & CT_HELD_ASKING)
		return 0;
	lock = make_statistics(own, held_at(own, slot));
	if (lock)
		__sync_fetch_and_add(&lock->exits, 1);
	return 0;
}

static __always_inline void forget_thread(bool exits)
{
	struct ct_thread_holds *own = find_own_holds();
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	__u32 i, depth;

	if (!own)
		return;
	depth = exits ? own->depth : 0;
	for (i = 0; i < CT_HELD_OBJECTS; i++) {
		if (i >= depth)
			break;
		count_exit(i);
	}
	bpf_map_delete_elem(&threads, &tid);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ct_hold_exit, struct task_struct *task)
{
	forget_thread(true);
	return 0;
}

/* Its memory is gone with all that was in it. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(ct_hold_exec, struct task_struct *task)
{
	forget_thread(false);
	return 0;
}
