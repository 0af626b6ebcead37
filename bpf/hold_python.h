/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which Python code acquires or releases. */
#ifndef CT_HOLD_PYTHON_H
#define CT_HOLD_PYTHON_H

#include "hold_state.h"

/* False: the calling thread has no GIL. */
static __always_inline bool read_python_place(const struct ct_frame_probe *probe,
					      struct ct_python_place *to)
{
	__u64 frame = own_frame(probe);
	__u32 i;

	__builtin_memset(to, 0, sizeof(*to));
	if (!frame)
		return false;
#pragma unroll
	for (i = 0; i < CT_PYTHON_FRAMES; i++) {
		__u64 code, instruction, previous;
		__u8 owner;

		if (!read_word(&code, frame + probe->frame_code) ||
		    !read_word(&instruction, frame + probe->frame_instruction) ||
		    !read_word(&previous, frame + probe->frame_previous) ||
		    bpf_probe_read_user(&owner, 1, (const void *)(frame + probe->frame_owner)))
			break;
		if (owner <= probe->last_python_owner) {
			code &= probe->code_mask;
			to->codes[i] = code;
			to->offsets[i] = instruction - code;
		}
		frame = previous;
		if (!frame)
			break;
	}
	return true;
}

/*
 * Where Python code asks for what is in `slot`. CPython tries each of its locks first, with the
 * GIL; if that fails it lets go of that and asks again.
 */
__noinline int note_python(__u32 slot)
{
	struct ct_thread_holds *own = find_own_holds();
	struct ct_frame_probe *probe;
	struct ct_place *place;
	__u64 address;

	if (!own)
		return 0;
	place = place_at(own, slot);
	address = held_at(own, slot)->address;
	place->python = (struct ct_python_place){}; /* of what was in this slot before */
	probe = bpf_map_lookup_elem(&pythons, &own->tgid);
	if (!probe)
		return 0;
	if (read_python_place(probe, &place->python)) {
		own->python = place->python;
		own->python_of = address;
	} else if (own->python_of == address) {
		place->python = own->python;
	}
	return 0;
}

#endif /* CT_HOLD_PYTHON_H */
