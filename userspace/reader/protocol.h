// Messages between the tracer and its reader process: a 4-byte little-endian length, then a
// protobuf message of proto/concurrency_tracer/internal/reader.proto.
#pragma once

#include <poll.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "concurrency_tracer/internal/reader.pb.h"
#include "reader/reader.h"

namespace ct {

namespace wire = concurrency_tracer::internal;

// A message longer than this is a mistake or an attack: 200,000 frames with long names fit.
inline constexpr std::size_t kMaxMessageBytes = 64 << 20;

Status SendMessage(int fd, const google::protobuf::MessageLite& message);

// Waits until `deadline` (CLOCK_MONOTONIC; 0 = for ever). kTimeout, kIo (closed) or kMalformed.
Status ReceiveMessage(int fd, TimeNs deadline, google::protobuf::MessageLite& message);

void ToWire(const ProcessToRead& request, wire::ReadRequest& message);
ProcessToRead FromWire(const wire::ReadRequest& message);

void ToWire(const ThreadRead& thread, wire::ThreadReading& message);
ThreadRead FromWire(const wire::ThreadReading& message);

void ToWire(const LocatedWait& wait, wire::Wait& message);
LocatedWait FromWire(const wire::Wait& message);

void ToWire(const FunctionToFind& function, wire::FunctionQuery& message);
FunctionToFind FromWire(const wire::FunctionQuery& message);

void ToWire(const FunctionFound& function, wire::FunctionFound& message);
// With names that can be printed, and no more return instructions than a function has.
FunctionFound FromWire(const wire::FunctionFound& message);

// What of an answer's part answers something that was asked: `queries` functions, `asked`.
void TakeFunctions(const wire::ReadResponse& part, std::size_t queries,
                   std::vector<FunctionFound>& into);
void ToWire(const ObjectPlace& place, wire::ObjectPlace& message);
ObjectPlace FromWire(const wire::ObjectPlace& message);
// Those of `asked`, once each.
void TakeObjects(const wire::ReadResponse& part, const std::vector<std::uint64_t>& asked,
                 std::vector<ObjectPlace>& into);
void TakeMemory(const wire::ReadResponse& part, const std::vector<MemoryToRead>& asked,
                std::vector<MemoryCopy>& into);

void ToWire(const Module& module, wire::Module& message);
Module FromWire(const wire::Module& message);

}  // namespace ct
