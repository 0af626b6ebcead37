// Rows of a snapshot -> the model, checking everything: a snapshot may come from anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "snapshot/enums.h"
#include "snapshot/envelope.h"
#include "snapshot/snapshot.h"

namespace ct {

// Two passes over the records: what is interned first, then everything that refers to it.
class RowReader {
 public:
  RowReader(const RowCounts& counts, const DecodeLimits& limits)
      : counts_(counts), budget_(limits.contents_bytes) {}

  Status ReadInterned(int field, std::span<const std::byte> payload);
  Status ReadRow(int field, std::span<const std::byte> payload);

  // What could not be checked in one row, as it is about two. After the last.
  Status CheckSteps() const;

  // What was read; once, at the end.
  SnapshotContents Take() { return std::move(contents_); }

 private:
  struct FunctionRow {
    std::uint32_t name = 0;
    std::uint32_t file = 0;
  };
  struct FrameRow {
    Frame frame;  // without its texts
    std::int32_t function = kNoIndex;
  };

  Status Read(const pb::Observation& row);
  Status Read(const pb::Finding& row);
  Status Read(const pb::Module& row);
  Status Read(const pb::Function& row);
  Status Read(const pb::Frame& row);
  Status Read(const pb::Stack& row);
  Status Read(const pb::Space& row);
  Status Read(const pb::Process& row);
  Status Read(const pb::Actor& row);
  Status Read(const pb::Resource& row);
  Status Read(const pb::Wait& row);
  Status Read(const pb::Hold& row);
  Status Read(const pb::Use& row);
  Status Read(const pb::LockContention& row);
  Status Read(const pb::GilContention& row);
  Status Read(const pb::SwallowedException& row);
  Status Read(const pb::NeverAwaited& row);
  Status Read(const pb::EventLoop& row);
  Status Read(const pb::LoopBlock& row);
  Status Read(const pb::LockOrder& row);
  Status Read(const pb::LongHold& row);
  Status Read(const pb::ResourceHolds& row);
  Status ReadString(std::span<const std::byte> payload);

  template <class Row>
  Status Parse(std::span<const std::byte> payload);

  // Every step below notes the first thing that is wrong in `error_` and goes on with a harmless
  // value; Parse looks at it once a row.
  void Wrong(std::string what);
  void Charge(std::size_t bytes);
  std::string Text(std::uint32_t index);
  std::string Own(const std::string& text);  // a text that is not interned
  TimeNs Time(std::int64_t time);
  std::int32_t Index(std::uint64_t index, int table);
  std::vector<std::int32_t> Indices(const google::protobuf::RepeatedField<std::uint32_t>& from,
                                    int table);
  std::vector<RingStep> Steps(const google::protobuf::RepeatedPtrField<pb::RingStep>& from);
  std::vector<OrderStep> Steps(const google::protobuf::RepeatedPtrField<pb::OrderStep>& from);
  Frame FullFrame(std::uint32_t index);
  ThreadId Id(const pb::ThreadId& id);
  WaitTotals Totals(const pb::WaitTotals& row);
  template <class Model, class Proto>
  Model Enum(Proto value);

  const RowCounts& counts_;
  std::size_t budget_;
  Status error_;
  SnapshotContents contents_;
  std::vector<std::string> strings_;
  std::vector<FunctionRow> functions_;
  std::vector<FrameRow> frames_;
  std::unordered_set<ActorIndex> waiting_;
};

template <class Model, class Proto>
Model RowReader::Enum(Proto value) {
  if (const auto known = FromProto<Model>(value)) return *known;
  ++contents_.format.unknown_values;
  return CautiousValue<Model>();
}

}  // namespace ct
