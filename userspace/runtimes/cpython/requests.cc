#include "runtimes/cpython/requests.h"

#include <algorithm>

#include <fmt/format.h>

namespace ct::cpython {
namespace {

constexpr std::uint32_t kNoSlot = ~0U;
constexpr std::size_t kMaxText = 256;  // bytes of a path or a pattern
constexpr std::size_t kMaxMethod = 16;
constexpr std::size_t kMaxClient = 64;

bool IsRouterFrame(std::string_view function) {
  return function == "Route.handle" || function == "WebSocketRoute.handle" ||
         function == "APIRoute.handle" || function == "APIWebSocketRoute.handle";
}

}  // namespace

std::string RequestReader::Text(Address scope, std::string_view key) {
  return heap_.Str(heap_.DictGet(scope, key), kMaxText).value_or("");
}

// FastAPI puts the route into the scope; of Starlette's own it is who handles it.
std::string RequestReader::RouteOf(Address scope, const std::vector<FrameView>& frames) {
  if (const Address route = heap_.DictGet(scope, "route")) {
    if (auto path = heap_.Str(heap_.Attribute(route, "path"), kMaxText)) return *path;
  }
  for (const FrameView& frame : frames) {
    if (!IsRouterFrame(frame.code->function)) continue;
    const Address route = frames_.Local(frame, "self");
    if (auto path = heap_.Str(heap_.Attribute(route, "path"), kMaxText)) return *path;
  }
  return "";
}

std::string RequestReader::PathOf(Address scope, const std::vector<FrameView>& frames) {
  // A mounted application knows its own part; where it is mounted is the rest of the root path.
  std::string mounted = Text(scope, "root_path");
  const std::string root = Text(scope, "app_root_path");
  if (mounted.starts_with(root)) mounted.erase(0, root.size());
  std::string path = RouteOf(scope, frames);
  if (path.empty()) path = Text(scope, "path");
  // ASGI has the query string elsewhere; a server that has not would put secrets here.
  path.resize(std::min(path.size(), path.find('?')));
  return path.starts_with(mounted) ? path : mounted + path;
}

void RequestReader::Describe(const std::vector<FrameView>& frames, PythonTask& task) {
  for (const FrameView& frame : frames) {
    const auto [entry, is_new] = slots_.try_emplace(frame.code, kNoSlot);
    if (is_new) {
      const auto& names = frame.code->local_names;
      const auto found = std::find(names.begin(), names.end(), "scope");
      if (found != names.end()) entry->second = static_cast<std::uint32_t>(found - names.begin());
    }
    if (entry->second >= frame.code->locals) continue;
    const Address scope = frames_.LocalAt(frame, entry->second);
    if (heap_.KindOf(scope) != Kind::kDict) continue;
    const std::string type = Text(scope, "type");
    if (type != "http" && type != "websocket") continue;
    const std::string path = PathOf(scope, frames);
    if (path.empty()) continue;
    const std::string method =
        type == "http" ? Text(scope, "method").substr(0, kMaxMethod) : std::string("WEBSOCKET");
    task.request = fmt::format("{} {}", method, path);
    const auto client = heap_.Elements(heap_.DictGet(scope, "client"), 2);
    if (!client.empty()) task.client = heap_.Str(client[0], kMaxClient).value_or("");
    return;
  }
}

}  // namespace ct::cpython
