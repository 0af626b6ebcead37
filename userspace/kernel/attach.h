// Attaching programs, and what keeps them attached.
#pragma once

#include <cstdint>
#include <memory>

#include <bpf/libbpf.h>

#include "base/result.h"

namespace ct {

struct LinkDeleter {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

struct RingDeleter {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Ring = std::unique_ptr<ring_buffer, RingDeleter>;

// To the tracepoint of this id (Tracefs::EventId), as libbpf would, but without looking for tracefs
// where it may not be mounted.
Result<Link> AttachTracepoint(bpf_program* program, std::uint64_t event);

}  // namespace ct
