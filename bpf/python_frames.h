/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The Python frames of the thread that calls a program. */
#ifndef CT_PYTHON_FRAMES_H
#define CT_PYTHON_FRAMES_H

#include "kernel_types.h"
#include "wire.h"

static __always_inline bool read_word(__u64 *to, __u64 address)
{
	return bpf_probe_read_user(to, sizeof(*to), (const void *)address) == 0;
}

/* The innermost frame of the calling thread; 0: it is not the one that has the GIL. */
static __always_inline __u64 own_frame(const volatile struct ct_frame_probe *probe)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 thread, ident, frame;

	if (!read_word(&thread, probe->last_holder) ||
	    !read_word(&ident, thread + probe->thread_ident) ||
	    !read_word(&frame, thread + probe->thread_frame))
		return 0;
	/* pthread_self() is the thread pointer, in glibc as in musl. */
	if (ident != BPF_CORE_READ(task, thread.fsbase))
		return 0;
	if (probe->behind_cframe && !read_word(&frame, frame + probe->cframe_frame))
		return 0;
	return frame;
}

#endif /* CT_PYTHON_FRAMES_H */
