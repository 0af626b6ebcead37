/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The part of wire.h that is about acquires and releases; for its rules see there. */
#ifndef CT_WIRE_HOLDS_H
#define CT_WIRE_HOLDS_H

enum ct_hold_limits {
	CT_HELD_OBJECTS =
	    32,		     /* that a thread may have at a time; what it acquires beyond is lost */
	CT_HELD_PLACES = 16, /* of those, with where they were acquired */
	/*
	 * Of the stack at an acquire: wrappers (lock_guard's constructor, Mutex::Lock) have
	 * returned when it matters, and their frames lie here.
	 */
	CT_PLACE_BYTES = 256,
	CT_ORDER_SIGHTINGS = 8,	 /* of one order: different threads, guards, modes */
	CT_HOLD_PROBES = 4096,	 /* armed since the start, of all processes */
	CT_HOLD_STACK_PAGES = 3, /* of a record's stack copy, after the page it begins in */
	CT_HOLD_UNITS = 65536,	 /* of pools, that are in use */
	CT_HOLD_PYTHONS = 64,	 /* processes: as many as are followed at a time */
	CT_PYTHON_FRAMES = 4,	 /* of an acquire or release by Python code */
};

/* model/hold_probe.h: HoldRole */
enum ct_hold_role {
	CT_ROLE_ACQUIRE = 0,
	CT_ROLE_TRY_ACQUIRE = 1,
	CT_ROLE_RELEASE = 2,
	CT_ROLE_CONDITION_WAIT = 3,
	CT_ROLE_BEGIN = 4,
	CT_ROLE_END = 5,
};

/* model/hold_probe.h: ReturnValue */
enum ct_return_value {
	CT_RETURN_ANY = 0,
	CT_RETURN_ZERO = 1,
	CT_RETURN_NONZERO = 2,
	CT_RETURN_ONE = 3,
	CT_RETURN_TRUE = 4, /* a bool: only the lowest byte counts */
};

enum ct_hold_probe_flags {
	CT_PROBE_BY_OWNER = 1u << 0,  /* its success shows in the owner's word */
	CT_PROBE_BY_RETURN = 1u << 1, /* its return instructions are probed */
	CT_PROBE_STATE = 1u << 2,     /* state_at: a word that is 0 while it is free */
	CT_PROBE_OWNER = 1u << 3,     /* owner_at: a word that is its owner's tid */
	CT_PROBE_GLIBC_MUTEX = 1u << 4,
	CT_PROBE_SHARED = 1u << 5,  /* several may have it so */
	CT_PROBE_COUNTED = 1u << 6, /* a semaphore or pool: several units, no order */
	CT_PROBE_UNITS = 1u << 7,   /* of a pool: an acquire returns its unit */
	CT_PROBE_PYTHON = 1u << 8,  /* may be called by Python code, whose frames are known */
};

/* One function of one process. */
struct ct_hold_probe {
	ct_u32 tgid;
	ct_u32 family; /* what an acquire took, a release of the same family gives back */
	ct_u32 flags;
	ct_u32 pushed; /* bytes between the stack pointer at the probe and the return address */
	ct_u8 role;
	ct_u8 key_argument; /* 0 to 5 */
	ct_u8 unit_argument;
	ct_u8 succeeds; /* ct_return_value */
	ct_u8 off;	/* taken off: what was acquired by it counts no more */
	ct_u8 pad[3];
	int state_at;
	int owner_at;
};

enum ct_held_flags {
	CT_HELD_ASKING = 1u << 0,    /* not seen to have succeeded, or failed */
	CT_HELD_CONTENDED = 1u << 1, /* somebody had it when it was asked for */
	CT_HELD_TRIED = 1u << 2,     /* by an acquire that never waits */
	CT_HELD_PLACE = 1u << 3,     /* its place is kept */
	CT_HELD_AGAIN = 1u << 4,     /* a mutex that a condition's wait gives back */
	CT_HELD_UNSURE = 1u << 6,    /* no word says whether somebody had it */
	CT_HELD_BOUND = 1u << 5,     /* since is when it was seen at first, not when it began */
	CT_HELD_SHARED = 1u << 7,    /* as its probe's CT_PROBE_SHARED */
	CT_HELD_COUNTED = 1u << 8,   /* as its probe's CT_PROBE_COUNTED */
};

/* What a thread has, or asks for. Times are on CLOCK_MONOTONIC. */
struct ct_held {
	ct_u64 address;
	ct_u64 asked;
	ct_u64 since; /* 0 while it is asked for */
	ct_u64 unit;  /* of a pool */
	/* Of the return address of the acquire's call, and what it was. */
	ct_u64 return_slot;
	ct_u64 return_address;
	ct_u32 probe;
	ct_u32 family;
	ct_u32 count; /* of a recursive lock */
	ct_u32 flags;
};

/* The registers that a stack is unwound from: those that a call preserves. */
struct ct_caller {
	ct_u64 bx, bp, sp, r12, r13, r14, r15, ip;
};

/* Frames of Python code, innermost first; code 0: none, or one of the interpreter's own. */
struct ct_python_place {
	ct_u64 codes[CT_PYTHON_FRAMES];
	ct_u32 offsets[CT_PYTHON_FRAMES]; /* of the instruction, from the code object on */
};

/* A thread as it called an acquire. */
struct ct_place {
	struct ct_caller caller;
	struct ct_python_place python;
	ct_u8 stack[CT_PLACE_BYTES]; /* from sp up */
};

struct ct_thread_holds {
	ct_u32 tgid;
	ct_u32 ns_tid;
	ct_u64 space; /* address of its mm: an identity, never shown */
	ct_u32 depth;
	ct_u32 asking; /* how many of them are asked for, at least */
	ct_u32 epoch;  /* of the probes, when it was looked through */
	ct_u32 pad;
	struct ct_caller now; /* where it was hit last */
	/* Where Python code asked for this last: who has to wait asks again, without the GIL. */
	ct_u64 python_of;
	struct ct_python_place python;
	struct ct_held held[CT_HELD_OBJECTS];
	struct ct_place places[CT_HELD_PLACES]; /* of the first of those */
};

/* A pool begins with its mutex, at the same address: the family tells them apart. */
struct ct_hold_key {
	ct_u64 space;
	ct_u64 address;
	ct_u32 tgid;
	ct_u32 family;
};

struct ct_hold_statistics {
	ct_u64 holds;
	ct_u64 total; /* ns */
	ct_u64 max;
	ct_u64 last_release;
	ct_u64 in_use; /* signed; of counted ones */
	ct_u64 high_water;
	ct_u64 foreign; /* releases by threads that did not have it */
	ct_u64 exits;	/* ends of threads that had it */
	ct_u64 made;  /* of counted ones: when one was made or destroyed here last; 0: never seen */
	ct_u32 uses;  /* holds that ended since */
	ct_u32 probe; /* of its first acquire */
};

struct ct_order_key {
	ct_u64 held;
	ct_u64 wanted;
	ct_u32 tgid;
	ct_u32 pad;
};

/* Who was seen to do it: hashes of a thread, its guards and both modes; 0: free. */
struct ct_order_sightings {
	ct_u64 hashes[CT_ORDER_SIGHTINGS];
};

struct ct_unit_key {
	ct_u64 pool;
	ct_u64 unit;
	ct_u32 tgid;
	ct_u32 pad;
};

struct ct_unit_holder {
	ct_u64 since;
	ct_u32 tid;
	ct_u32 pad;
};

/* ORDER: who has `held` asks for `wanted`. LONG_HOLD: `held` was let go. LOCK_ENDED: `wanted`. */
struct ct_hold_record {
	ct_u16 kind;
	ct_u16 pad;
	ct_u32 tid;
	ct_u32 tgid;
	ct_u32 ns_tid;
	ct_u64 space;
	ct_u64 start_time;
	ct_u64 leader_start_time;
	ct_u64 at;
	ct_u64 wanted;
	ct_u32 wanted_probe;
	ct_u32 pad2;
	ct_u64 guard_addresses[CT_HELD_OBJECTS]; /* what else the thread has; 0: nothing there */
	struct ct_held held;
	struct ct_place place;
	struct ct_caller now;
	struct ct_python_place now_python;
	char comm[CT_COMM_LENGTH];
	/* As behind a ct_wait_record. */
	ct_u32 stack_offset;
	ct_u32 stack_bytes;
};

/* Summed up over all CPUs. produced = received by the tracer + lost_ring, always. */
struct ct_hold_counters {
	ct_u64 produced;
	ct_u64 lost_ring;
	ct_u64 lost_thread;
	ct_u64 lost_held;
	ct_u64 lost_lock;
	ct_u64 lost_edge;
	ct_u64 lost_unit;
	ct_u64 unknown_releases;
};

struct ct_hold_hits {
	ct_u64 entries;
	ct_u64 returns;
};

struct ct_address_key {
	ct_u64 address;
	ct_u32 tgid;
	ct_u32 pad;
};

CT_ASSERT(sizeof(struct ct_hold_probe) == 32, "ct_hold_probe");
CT_ASSERT(sizeof(struct ct_held) == 64, "ct_held");
CT_ASSERT(sizeof(struct ct_place) == 112 + CT_PLACE_BYTES, "ct_place");
CT_ASSERT(CT_OFFSET(struct ct_thread_holds, held) == 152, "ct_thread_holds.held");
CT_ASSERT(sizeof(struct ct_hold_statistics) == 80, "ct_hold_statistics");
CT_ASSERT(CT_OFFSET(struct ct_hold_record, held) == 64 + 8 * CT_HELD_OBJECTS,
	  "ct_hold_record.held");
CT_ASSERT(sizeof(struct ct_hold_record) == 888, "ct_hold_record");
CT_ASSERT(sizeof(struct ct_hold_counters) == 64, "ct_hold_counters");

#endif /* CT_WIRE_HOLDS_H */
