// Any bytes as a snapshot file, and as the contents of one whose checksum is right: they are read
// or refused, and what is read can be printed and written again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "render/json.h"
#include "render/text.h"
#include "snapshot/envelope.h"
#include "snapshot/snapshot.h"

namespace ct {
namespace {

constexpr DecodeLimits kLimits{.contents_bytes = std::size_t{64} << 20};

void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\n' || (byte >= 0x20 && byte != 0x7f);
  });
}

void Print(const SnapshotContents& contents) {
  RenderOptions options;
  Require(IsPrintable(RenderText(contents.observation, contents.findings, options)));
  options.full = true;
  options.all = true;
  Require(IsPrintable(RenderText(contents.observation, contents.findings, options)));
  Require(RenderJson(contents.observation, contents.findings, options).has_value());
}

void Try(std::string_view file) {
  const auto contents = Decode(file, kLimits);
  if (!contents) {
    Require(!contents.error().message.empty() && IsPrintable(contents.error().message));
    return;
  }
  Print(*contents);
  const std::string again = Encode(contents->observation, contents->findings);
  const auto read = Decode(again, kLimits);
  Require(read.has_value());
  Require(Encode(read->observation, read->findings) == again);
}

}  // namespace
}  // namespace ct

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  ct::Try(file);
  ct::AppendTrailer(file);
  ct::Try(file);
  return 0;
}
