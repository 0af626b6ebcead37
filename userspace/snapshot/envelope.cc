#include "snapshot/envelope.h"

#include <algorithm>
#include <bit>
#include <optional>

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "snapshot/crc32c.h"

namespace ct {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr std::size_t kMagicBytes = 9;  // tag and fixed64
constexpr std::size_t kMaxTrailerBytes = 4096;

const std::uint8_t* Octets(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string MagicPrefix() {
  pb::Snapshot snapshot;
  snapshot.set_magic(kSnapshotMagic);
  return snapshot.SerializeAsString();
}

// The trailer's own field for a table has the table's number: no list of tables here.
void SetCounts(const RowCounts& counts, pb::Trailer& trailer) {
  for (const auto& [field, count] : counts) {
    const FieldDescriptor* of_table = pb::Trailer::descriptor()->FindFieldByNumber(field);
    // A hostile file may have records where the trailer has its checksum.
    if (of_table == nullptr || field == pb::Trailer::kCrc32CFieldNumber) continue;
    pb::Trailer::GetReflection()->SetUInt64(&trailer, of_table, count);
  }
}

bool CountsAgree(const RowCounts& counts, const pb::Trailer& trailer) {
  pb::Trailer seen;
  SetCounts(counts, seen);
  pb::Trailer said = trailer;
  said.clear_crc32c();
  said.DiscardUnknownFields();
  return said.SerializeAsString() == seen.SerializeAsString();
}

struct TrailerAt {
  std::size_t begin = 0;  // of its tag
  pb::Trailer trailer;
};

// A trailer that starts at `begin` and ends where the file ends.
std::optional<pb::Trailer> ReadTrailer(std::span<const std::byte> bytes, std::size_t begin) {
  const auto tail = bytes.subspan(begin);
  CodedInputStream stream(Octets(tail), static_cast<int>(tail.size()));
  std::uint32_t tag = stream.ReadTag();
  std::uint32_t length = 0;
  if (tag != WireFormatLite::MakeTag(pb::Snapshot::kTrailerFieldNumber,
                                     WireFormatLite::WIRETYPE_LENGTH_DELIMITED) ||
      !stream.ReadVarint32(&length)) {
    return std::nullopt;
  }
  const auto header = static_cast<std::size_t>(stream.CurrentPosition());
  if (header + length != tail.size()) return std::nullopt;
  pb::Trailer trailer;
  const auto body = AsText(tail.subspan(header));
  if (!trailer.ParseFromArray(body.data(), static_cast<int>(body.size()))) return std::nullopt;
  if (!trailer.has_crc32c()) return std::nullopt;
  return trailer;
}

std::optional<TrailerAt> FindTrailer(std::span<const std::byte> bytes) {
  const std::size_t first = bytes.size() - std::min(bytes.size(), kMaxTrailerBytes);
  for (std::size_t begin = bytes.size(); begin > first; --begin) {
    if (auto trailer = ReadTrailer(bytes, begin - 1)) return TrailerAt{begin - 1, *trailer};
  }
  return std::nullopt;
}

// How a person would name the rows that are there.
std::string Describe(const RowCounts& counts) {
  const auto of = [&](int field) {
    const auto found = counts.find(field);
    return found == counts.end() ? 0 : found->second;
  };
  return fmt::format("{} threads, {} waits and {} findings", of(pb::Snapshot::kActorsFieldNumber),
                     of(pb::Snapshot::kWaitsFieldNumber), of(pb::Snapshot::kFindingsFieldNumber));
}

tl::unexpected<Error> Truncated(std::span<const std::byte> bytes) {
  RowCounts counts;
  // The error at the cut is the expected one: what came before it is what we want to know.
  static_cast<void>(ForEachRecord(bytes, [&](int field, auto) -> Status {
    ++counts[field];
    return {};
  }));
  return Fail(ErrorCode::kMalformed,
              fmt::format("truncated: the end is missing; there are {} bytes with {}", bytes.size(),
                          Describe(counts)));
}

tl::unexpected<Error> Damaged(const std::string& why) {
  return Fail(ErrorCode::kMalformed, "damaged: " + why);
}

// magic, then major and minor, are the first three fields.
struct Version {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};
Version ReadVersion(std::span<const std::byte> bytes) {
  Version version;
  const auto start =
      bytes.subspan(kMagicBytes, std::min<std::size_t>(bytes.size() - kMagicBytes, 24));
  CodedInputStream stream(Octets(start), static_cast<int>(start.size()));
  const auto varint = WireFormatLite::WIRETYPE_VARINT;
  for (std::uint32_t tag = stream.ReadTag(); tag != 0; tag = stream.ReadTag()) {
    const bool major =
        tag == WireFormatLite::MakeTag(pb::Snapshot::kFormatMajorFieldNumber, varint);
    const bool minor =
        tag == WireFormatLite::MakeTag(pb::Snapshot::kFormatMinorFieldNumber, varint);
    if (!major && !minor) break;
    std::uint32_t value = 0;
    if (!stream.ReadVarint32(&value)) break;
    (major ? version.major : version.minor) = value;
  }
  return version;
}

Status CheckMagic(std::span<const std::byte> bytes) {
  if (bytes.empty()) return Fail(ErrorCode::kMalformed, "empty file");
  const std::string magic = MagicPrefix();
  const std::size_t common = std::min(bytes.size(), kMagicBytes);
  if (AsText(bytes.first(common)) != std::string_view(magic).substr(0, common)) {
    return Fail(ErrorCode::kMalformed, "not a concurrency-tracer snapshot");
  }
  if (bytes.size() < kMagicBytes) return Truncated(bytes);
  return {};
}

}  // namespace

Status ForEachRecord(std::span<const std::byte> records, const RecordVisitor& visit) {
  CodedInputStream stream(Octets(records), static_cast<int>(records.size()));
  while (stream.CurrentPosition() < static_cast<int>(records.size())) {
    const std::uint32_t tag = stream.ReadTag();
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    if (tag == 0 || field == 0) return Damaged("a record has no number");
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&stream, tag)) return Damaged("a field cannot be read");
      continue;
    }
    std::uint32_t length = 0;
    if (!stream.ReadVarint32(&length) || length > records.size()) {
      return Damaged("a record is longer than the file");
    }
    const auto begin = static_cast<std::size_t>(stream.CurrentPosition());
    if (!stream.Skip(static_cast<int>(length))) return Damaged("a record is longer than the file");
    if (length > kMaxRecordBytes) return Damaged("a record is larger than 16 MiB");
    if (auto status = visit(field, records.subspan(begin, length)); !status) return status;
  }
  return {};
}

void AppendTrailer(std::string& file) {
  const auto bytes = std::as_bytes(std::span(file));
  RowCounts counts;
  static_cast<void>(ForEachRecord(bytes, [&](int field, auto) -> Status {
    ++counts[field];
    return {};
  }));
  pb::Snapshot end;
  SetCounts(counts, *end.mutable_trailer());
  end.mutable_trailer()->set_crc32c(Crc32c(bytes));
  end.AppendToString(&file);
}

Result<Envelope> OpenEnvelope(std::span<const std::byte> bytes) {
  if (auto status = CheckMagic(bytes); !status) return tl::unexpected(status.error());
  const Version version = ReadVersion(bytes);
  if (version.major > kFormatMajor) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("written in format {}.{}; this program reads up to {}.x: use a newer "
                            "concurrency-tracer",
                            version.major, version.minor, kFormatMajor));
  }
  if (bytes.size() > std::size_t{1} << 30) {
    return Fail(ErrorCode::kMalformed, "larger than 1 GiB: not a snapshot of ours");
  }
  const auto found = FindTrailer(bytes);
  if (!found) return Truncated(bytes);
  Envelope envelope{version.major, version.minor, bytes.first(found->begin), {}};
  if (Crc32c(envelope.records) != found->trailer.crc32c()) {
    return Damaged("the checksum does not match the contents");
  }
  if (version.major == 0) return Damaged("the format version is missing");
  auto walked = ForEachRecord(envelope.records, [&](int field, auto) -> Status {
    ++envelope.counts[field];
    return {};
  });
  if (!walked) return tl::unexpected(walked.error());
  if (!CountsAgree(envelope.counts, found->trailer)) {
    return Damaged("the number of rows does not match the trailer");
  }
  return envelope;
}

}  // namespace ct
