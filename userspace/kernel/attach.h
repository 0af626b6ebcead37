// Attaching programs, and what keeps them attached.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <bpf/libbpf.h>

#include "base/result.h"

namespace ct {

struct LinkDeleter {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

// Takes all of them off, in this order, by several threads: for each probe the kernel waits for a
// grace period (20 to 50 ms measured with two busy CPUs), and those who wait at the same time share
// it. 48 links: 3 s one after the other.
void TakeOff(std::vector<Link> links);

struct RingDeleter {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Ring = std::unique_ptr<ring_buffer, RingDeleter>;

// To the tracepoint of this id (Tracefs::EventId), as libbpf would, but without looking for tracefs
// where it may not be mounted.
Result<Link> AttachTracepoint(bpf_program* program, std::uint64_t event);

}  // namespace ct
