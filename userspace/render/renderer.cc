#include "render/renderer.h"

#include <algorithm>
#include <array>

#include "render/json.h"
#include "render/text.h"

namespace ct {
namespace {

Result<std::string> Text(const Observation& observation, std::span<const Finding> findings,
                         const RenderOptions& options) {
  return RenderText(observation, findings, options);
}

constexpr std::array<Renderer, 2> kRenderers{{{"text", Text}, {"json", RenderJson}}};

}  // namespace

std::span<const Renderer> Renderers() { return kRenderers; }

const Renderer* FindRenderer(std::string_view name) {
  const auto* found = std::find_if(kRenderers.begin(), kRenderers.end(),
                                   [&](const Renderer& renderer) { return renderer.name == name; });
  return found == kRenderers.end() ? nullptr : found;
}

}  // namespace ct
