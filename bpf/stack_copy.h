/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A copy of a user stack, behind a record that travels. */
#ifndef CT_STACK_COPY_H
#define CT_STACK_COPY_H

#include "kernel_types.h"
#include "wire.h"

#define PAGE_SIZE 4096

/*
 * The stack from `from` up, to the same offset in its first page. Page by page: one large read
 * past the top of the stack fails whole. `most` is a constant: how many pages there is room for.
 * Returns how many bytes it took; 0: the first page could not be read.
 */
static __always_inline __u32 copy_stack_pages(void *pages, __u64 from, __u32 most, __u32 bytes)
{
	__u32 offset = from & (PAGE_SIZE - 1), size = PAGE_SIZE - offset;
	__u32 copied, i;

	if (bpf_probe_read_user(pages + offset, size, (void *)from))
		return 0;
	copied = size;
	from += size;
	for (i = 1; i < most && i * PAGE_SIZE < bytes; i++) {
		if (bpf_probe_read_user(pages + i * PAGE_SIZE, PAGE_SIZE, (void *)from))
			break;
		copied += PAGE_SIZE;
		from += PAGE_SIZE;
	}
	return copied;
}

#endif /* CT_STACK_COPY_H */
